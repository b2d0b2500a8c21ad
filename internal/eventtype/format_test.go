package eventtype_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// suiteDirectory is where the published JSON-Schema-Test-Suite is, with its optional parts.
func suiteDirectory(t *testing.T) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", "-modfile=tools/suite/go.mod", "cuelang.org/go")
	command.Dir = filepath.Join("..", "..")
	out, err := command.Output()
	require.NoError(t, err, "the suite cannot be downloaded: %s", out)
	var module struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &module))
	return filepath.Join(module.Dir, "encoding", "jsonschema", "testdata", "external", "tests")
}

// readSuite reads the cases of one file of the suite.
func readSuite(t *testing.T, path string) (cases []suiteCase) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &cases))
	return cases
}

// Each format of the draft agrees with the optional part of the published suite.
func TestFormatsOfThePublishedSuite(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(suiteDirectory(t), "draft2020-12", "optional", "format", "*.json"))
	require.NoError(t, err)
	judged := map[string]int{}
	for _, file := range files {
		format := strings.TrimSuffix(filepath.Base(file), ".json")
		for _, c := range readSuite(t, file) {
			schema := compile(t, `{"properties": {"value": `+string(c.Schema)+`}}`)
			for _, one := range c.Tests {
				violations, err := schema.CheckPayload([]byte(`{"value": `+string(one.Data)+`}`), false)
				require.NoError(t, err)
				if (len(violations) == 0) != one.Valid {
					t.Errorf("%s: %s: %s: valid %t, found %v", format, one.Description, one.Data, one.Valid, violations)
				}

				judged[format]++
			}
		}
	}

	for _, format := range eventtype.Formats() {
		if format != "semver" && format != "period" { // they are of no draft
			require.Greater(t, judged[format], 6, "the suite has nothing of %s", format)
		}
	}
}

// Cases that the vendored suite lacks: each format follows its RFC.
func TestFormatsOfTheirRFCs(t *testing.T) {
	t.Parallel()
	for format, texts := range map[string]struct{ right, wrong []string }{
		"email": {
			right: []string{"jane@example.com", "jane+tag@mail.example", `"jane doe"@example.com`, `"a\\\"b"@example.com`, `""@example.com`, "jane@[192.0.2.1]", "jane@[ipv6:2001:db8::1]", "o'neil@example.com", "jane@localhost"},
			wrong: []string{
				"", "@example.com", "jane@", "jane", "jane doe@example.com", " jane@example.com", "jane@example.com ", "jane@example.com\n", "<jane@example.com>", "Jane <jane@example.com>",
				"(x)jane@example.com", "jane(x)@example.com", "jane@example.com.", "jane@.example.com", "jane@-example.com", "a@b@example.com", "a,b@example.com", `"jane@example.com`,
				`"ja"ne@example.com`, "jane@[192.0.2]", "jane@[2001:db8::1]", "jane@exam_ple.com", "j\u00e4ne@example.com", "jane@ex\u00e4mple.com", "jane@example.com,joe@example.com", "jane\r\n @example.com",
			},
		},
		"idn-email": {right: []string{"j\u00e4ne@ex\u00e4mple.com", "jane@example.com"}, wrong: []string{"@ex\u00e4mple.com", "j\u00e4ne", "jane@\u302eexample.com"}},
		"ipv4":      {right: []string{"192.0.2.1", "0.0.0.0"}, wrong: []string{"", "+1.2.3.4", "1.2.3.-4", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", " 1.2.3.4", "1.2.3.4\n", "::1", "1.2.3.\u0664"}},
		"ipv6":      {right: []string{"::1", "2001:db8::1", "::ffff:192.0.2.1"}, wrong: []string{"", "192.0.2.1", "fe80::1%eth0", "::1 ", "12345::", "[::1]"}},
		"uri": {
			right: []string{"https://example.com/a?b=c#d", "mailto:jane@example.com", "urn:uuid:1", "http://user:word@example.com:80/", "http://[2001:db8::1]:80/", "file:///etc", "http://example.com:", "http://a_b.example"},
			wrong: []string{
				"", "example.com", "/path", "//example.com/", "http://example.com/a b", "http://exam ple.com", "http://example.com/%", "http://example.com/%2", "http://example.com/%zz", "http://example.com/%+1",
				"http://example.com/a#b#c", "http://a@b@example.com", "http://example.com/[a]", "http://example.com/?a[]=1", "http://[::1", "http://::1/", "http://example.com:8o", "1http://example.com", "http://ex\u00e4mple.com",
				"http://example.com/{a}", "http://example.com/a\tb", "http://example.com/\u007f", "a_b://example.com", "http://[example.com]/", `http://example.com/"a"`,
			},
		},
		"uri-reference":         {right: []string{"", "a/b", "?a=b", "#a", "//example.com", "./a:b"}, wrong: []string{"a b", "a:b c", "%", "\\a", "1a:b", ":a", "#a#b", "a\u00e4"}},
		"iri":                   {right: []string{"http://ex\u00e4mple.com/\u4e2d"}, wrong: []string{"http://ex\u00e4mple.com/ \u4e2d", "http://example.com/\ufffe", "http://example.com/\u0080", "\u00e4"}},
		"iri-reference":         {right: []string{"\u00e4/\u4e2d#\u4e2d"}, wrong: []string{"\u00e4 b", "%\u00e4"}},
		"uri-template":          {right: []string{"", "http://example.com/{a}{?b,c*}{#d:3}", "{+a.b}"}, wrong: []string{"{", "}", "{a", "a}", "{}", "{a}}", "{{a}}", "{a b}", "{a:0}", "{a:99999}", "{,}", "a b"}},
		"hostname":              {right: []string{"example.com", "a", "1.example", "xn--nxasmq6b.example"}, wrong: []string{"", ".", "example.com.", "-a.example", "a-.example", "a_b", "a..b", "xn--", "xn--a", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a", "ex\u00e4mple"}},
		"idn-hostname":          {right: []string{"ex\u00e4mple.com", "example", "l\u00b7l"}, wrong: []string{"", "a\u00b7b", "-\u00e4", "\u0640", "a..b"}},
		"date":                  {right: []string{"2024-02-29"}, wrong: []string{"", "2023-02-29", "2024-2-29", "2024-02-29Z", "+024-02-29", "2024-02-30"}},
		"time":                  {right: []string{"10:20:30Z", "10:20:30.5z", "10:20:30+14:00", "23:59:60Z", "00:59:60+01:00", "15:59:60-08:00"}, wrong: []string{"", "10:20:30", "+1:20:30Z", "10:20:60Z", "23:59:60+01:00", "24:00:00Z", "10:20Z", "10:20:30.Z", "10:20:30+1:00", "10:20:30+24:00", "10:20:30 Z", "1:020:30Z", "10:20:30.5"}},
		"date-time":             {right: []string{"2024-02-29T10:20:30Z", "2024-02-29t10:20:30.123456789+02:00"}, wrong: []string{"", "2024-02-29", "2024-02-29 10:20:30Z", "2024-02-29T10:20:30", "2024-02-30T10:20:30Z", "2024-02-29T+1:20:30Z"}},
		"duration":              {right: []string{"P1Y2M3DT4H5M6S", "PT1S", "P3W", "PT1H2M"}, wrong: []string{"", "P", "PT", "P1", "1Y", "P1YT", "P1Y2D", "PT1H2S", "P1D1Y", "P1W1D", "P1WT1S", "P-1D", "P1.5D", "P1S"}},
		"uuid":                  {right: []string{"01a21214-e52e-70f7-a0e1-873ff7eced63"}, wrong: []string{"", "01a21214e52e70f7a0e1873ff7eced63", "{01a21214-e52e-70f7-a0e1-873ff7eced63}", "01a21214-e52e-70f7-a0e1-873ff7eced6g"}},
		"json-pointer":          {right: []string{"", "/a~0~1"}, wrong: []string{"a", "/~", "/~2"}},
		"relative-json-pointer": {right: []string{"0", "1/a", "0#"}, wrong: []string{"", "/a", "01", "-1", "+1", "0##"}},
		"regex":                 {right: []string{"", "^a+$"}, wrong: []string{"(", "a**", "(?=a)"}},
		"semver":                {right: []string{"1.2.3-rc.1+b"}, wrong: []string{"", "1.2", "v1.2.3"}},
		"period":                {right: []string{"2024-01-01T00:00:00Z/P1D"}, wrong: []string{"", "P1D", "P1D/P1D"}},
	} {
		schema := compile(t, `{"properties": {"value": {"format": "`+format+`"}}}`)
		fits := func(text string) bool {
			data, err := json.Marshal(map[string]string{"value": text})
			require.NoError(t, err)
			violations, err := schema.CheckPayload(data, false)
			require.NoError(t, err)
			return len(violations) == 0
		}
		for _, text := range texts.right {
			require.True(t, fits(text), "%s: %q is one", format, text)
		}

		for _, text := range texts.wrong {
			require.False(t, fits(text), "%s: %q is none", format, text)
		}
	}
}
