package eventtype_test

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// suiteCase is a schema of the JSON-Schema-Test-Suite with values that fit or do not.
type suiteCase struct {
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema"`
	Tests       []struct {
		Description string          `json:"description"`
		Data        json.RawMessage `json:"data"`
		Valid       bool            `json:"valid"`
	} `json:"tests"`
}

// leftOut returns the cases of the suite that do not apply here, by file and
// description, or by file alone, each with the reason.
func leftOut() map[string]string {
	const outside = "it needs a schema from outside, and nothing is fetched"
	const nul = "NUL cannot be stored, so no payload has it, and no schema may name it"
	return map[string]string{
		"refRemote.json":  outside,
		"vocabulary.json": outside,
		"format.json":     "here a format is asserted, which the draft leaves to the implementation; see TestFormatsOfThePublishedSuite",
		"dynamicRef.json: strict-tree schema, guards against misspelled properties":       outside,
		"dynamicRef.json: tests for implementation dynamic anchor and reference link":     outside,
		"dynamicRef.json: $ref and $dynamicAnchor are independent of order - $defs first": outside,
		"dynamicRef.json: $ref and $dynamicAnchor are independent of order - $ref first":  outside,
		"dynamicRef.json: $ref to $dynamicRef finds detached $dynamicAnchor":              outside,
		"const.json: nul characters in strings":                                           nul,
		"enum.json: nul characters in strings":                                            nul,
	}
}

// suite reads the suite's required cases of draft 2020-12.
func suite(t *testing.T) map[string][]suiteCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(suiteDirectory(t), "draft2020-12", "*.json"))
	require.NoError(t, err)
	require.Greater(t, len(files), 40, "the suite is not there")
	all := map[string][]suiteCase{}
	for _, file := range files {
		all[filepath.Base(file)] = readSuite(t, file)
	}

	return all
}

// All required cases of the published suite that apply here have to agree.
func TestThePublishedSuite(t *testing.T) {
	t.Parallel()
	reasons, used := leftOut(), map[string]bool{}
	judged, out := 0, 0
	cases := suite(t)
	for _, file := range slices.Sorted(maps.Keys(cases)) {
		for _, c := range cases[file] {
			at := file + ": " + c.Description
			if reasons[file] != "" || reasons[at] != "" {
				used[file], used[at] = true, true
				out++
				continue
			}

			if text := strings.TrimSpace(string(c.Schema)); text == "true" || text == "false" {
				continue // a schema here is an object
			}

			// A payload is an object, so that values of other types are tried as
			// members. That is not possible if a schema refers to its root.
			rooted := strings.Contains(string(c.Schema), "#")
			text := string(c.Schema)
			if !rooted {
				text = `{"properties": {"value": ` + text + `}}`
			}

			schema, err := eventtype.CompileSchema([]byte(text))
			if err != nil {
				f, _ := fault.As(err)
				t.Errorf("%s: %v", at, f)
				continue
			}

			for _, one := range c.Tests {
				data := `{"value": ` + string(one.Data) + `}`
				if rooted {
					if data = string(one.Data); !strings.HasPrefix(strings.TrimSpace(data), "{") {
						continue
					}
				}

				violations, err := schema.CheckPayload([]byte(data), false)
				require.NoError(t, err)
				if (len(violations) == 0) != one.Valid {
					t.Errorf("%s: %s: valid %t, found %v", at, one.Description, one.Valid, violations)
				}

				judged++
			}
		}
	}

	for name := range reasons {
		require.True(t, used[name], "%q is left out, and is not there", name)
	}

	require.Greater(t, judged, 900)
	t.Logf("%d values judged, %d cases left out", judged, out)
}
