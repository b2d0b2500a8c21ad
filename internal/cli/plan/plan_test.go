package plan_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/cli/plan"
	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// write creates a directory of files and returns its path.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	directory := t.TempDir()
	for name, text := range files {
		path := filepath.Join(directory, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}

	return directory
}

// An export to the working directory replaces the files of the one before it. The test changes
// the working directory, so it is not parallel.
func TestAnExportToTheWorkingDirectoryIsRepeated(t *testing.T) {
	t.Chdir(t.TempDir())
	types := []eventtype.Type{typeOf("form", "submit", "")}
	for range 2 {
		written, err := plan.ExportTypes(".", types)
		require.NoError(t, err)
		require.Equal(t, []string{"form.submit.yaml"}, written)
	}
}

func TestAPlanIsReadFromADirectory(t *testing.T) {
	t.Parallel()
	directory := write(t, map[string]string{
		"form/all.yaml": `# two
category: form
name: submit
schema: &s
  type: object
  properties:
    z: {type: string, const: 2020-01-01}
    a: {enum: [yes, no, 0x10, 1.50, ~, true, 9007199254740993]}
---
# nothing
---
category: form
name: "open"
mode: observe
description: |
  Two
  lines
`,
		"page.json":      `{"category": "page", "name": "a/b c", "schema": {"const": "\ud83d\ude00"}}  {"category": "page", "name": "view"}`,
		"README.md":      "no plan",
		".git/x.yaml":    "nonsense",
		"form/.x.yaml":   "nonsense",
		"deep/er/a.yml":  "category: a\nname: b\n",
		"deep/er/b.text": "nonsense",
	})
	// The layout of a mounted ConfigMap.
	require.NoError(t, os.Mkdir(filepath.Join(directory, "..data"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(directory, "..data", "m.yaml"), []byte("category: m\nname: m\n"), 0o600))
	require.NoError(t, os.Symlink(filepath.Join("..data", "m.yaml"), filepath.Join(directory, "m.yaml")))
	read, err := plan.Read(directory, nil, eventtype.Draft2020)
	require.NoError(t, err)
	var keys []string
	for _, d := range read {
		keys = append(keys, d.Path())
	}

	require.Equal(t, []string{"a/b", "form/open", "form/submit", "m/m", "page/a%2Fb%20c", "page/view"}, keys)
	require.Equal(t, eventtype.Observe, read[1].Mode)
	require.Equal(t, "Two\nlines\n", read[1].Description)
	require.Nil(t, read[1].Schema)
	require.Equal(t, eventtype.Enforce, read[2].Mode)
	require.JSONEq(t, `{"type":"object","properties":{"z":{"type":"string","const":"2020-01-01"},"a":{"enum":["yes","no",16,1.5,null,true,9007199254740993]}}}`, string(read[2].Schema))
	require.Contains(t, string(read[2].Schema), `"z":{"type":"string","const":"2020-01-01"},"a":{"enum":["yes","no",16,1.50,null,true,9007199254740993]}`, "members keep their order, numbers their text")
	again, err := plan.Read(plan.Stdin, strings.NewReader("category: x\nname: y\n"), eventtype.Draft2020)
	require.NoError(t, err)
	require.Len(t, again, 1)
	again, err = plan.Read(plan.Stdin, strings.NewReader(`{"category": "x", "name": "\ud83d\ude00"}`), eventtype.Draft2020)
	require.NoError(t, err)
	require.Equal(t, "😀", again[0].Name)
}

// All problems are reported at once, each with its file and place.
func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	t.Parallel()
	bomb := "category: a\nname: b\nschema:\n  $defs:\n    l0: &l0 {enum: [1, 2, 3, 4, 5, 6, 7, 8]}\n"
	for i := range 12 {
		refs := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d, ", i), 8), ", ")
		bomb += fmt.Sprintf("    l%d: &l%d {anyOf: [%s]}\n", i+1, i+1, refs)
	}

	for name, c := range map[string]struct{ file, says string }{
		"unknown":       {"category: a\nname: b\nschem: {}\n", "x.yaml: /schem is unknown"},
		"twice":         {"category: a\nname: b\nname: c\n", `x.yaml: line 3: "name" is in line 2 already`},
		"twice below":   {"category: a\nname: b\nschema: {type: object, type: object}\n", `"type" is in line`},
		"second":        {"category: a\nname: b\n---\ncategory: a\n", "x.yaml (document 2): /name"},
		"twice a type":  {"category: a\nname: b\n---\ncategory: a\nname: b\n", "x.yaml (document 2): a/b is already described in x.yaml"},
		"schema":        {"category: a\nname: b\nschema: {properties: {a/b: {type: strin}}}\n", "x.yaml: /schema/properties/a~1b/type: "},
		"text":          {"category: 1\nname: b\n", "x.yaml: /category: expected a string"},
		"mode":          {"category: a\nname: b\nmode: maybe\n", "x.yaml: /mode"},
		"list":          {"- category: a\n  name: b\n", "x.yaml: "},
		"no yaml":       {"category: [\n", "x.yaml: yaml:"},
		"a key":         {"category: a\nname: b\nschema: {properties: {1: {}}}\n", `line 3: the name "1" is not a string`},
		"merged":        {"category: a\nname: b\nschema:\n  <<: {}\n", `the name "<<" is not a string`},
		"infinite":      {"category: a\nname: b\nschema: {maximum: .inf}\n", "JSON has no number"},
		"binary":        {"category: a\nname: b\nschema: {const: !!binary aGk=}\n", "JSON has no equivalent of !!binary"},
		"circle":        {"category: a\nname: b\nschema: &s\n  not: *s\n", "contains itself"},
		"bomb":          {bomb, "too large"},
		"schema a list": {"category: a\nname: b\nschema: []\n", "x.yaml: /schema"},
		"nothing":       {"# nothing\n", "has none"},
		"NUL":           {"category: \"a\\0\"\nname: b\n", "x.yaml: /category"},
	} {
		directory := write(t, map[string]string{"x.yaml": c.file, "y.json": ""})
		_, err := plan.Read(directory, nil, eventtype.Draft2020)
		require.ErrorIs(t, err, plan.ErrInvalid, name)
		require.Contains(t, strings.ReplaceAll(err.Error(), directory+"/", ""), c.says, name)
	}

	directory := write(t, map[string]string{"a.json": `{"category": "a", "name": "b", "name": "c"}`, "b.json": `{`, "c.yaml": "category: a\nname: b\nx: 1\n"})
	_, err := plan.Read(directory, nil, eventtype.Draft2020)
	require.ErrorIs(t, err, plan.ErrInvalid)
	for _, file := range []string{"a.json: /name", "b.json: it is not JSON", "c.yaml: /x is unknown"} {
		require.Contains(t, err.Error(), file)
	}

	_, err = plan.Read(filepath.Join(directory, "none"), nil, eventtype.Draft2020)
	require.ErrorIs(t, err, plan.ErrInvalid)
}

func typeOf(category, name, schema string) eventtype.Type {
	one := eventtype.Type{Key: eventtype.Key{Category: category, Name: name}, Spec: eventtype.Spec{Mode: eventtype.Enforce}}
	if schema != "" {
		one.Schema = json.RawMessage(schema)
	}

	return one
}

// Reading an export gives the same types, for all names and schemas.
func TestAnExportIsReadAsItWas(t *testing.T) {
	t.Parallel()
	types := []eventtype.Type{
		typeOf("a", "b", ""), typeOf("A", "b", ""), typeOf("a.b", "c", ""), typeOf("a", "b.c", ""), typeOf("..", "..", ""), typeOf("a/../b", "%2F", ""),
		typeOf("yes", "no", ""), typeOf("1", "1e5", ""), typeOf("~", "null", ""), typeOf("- x", "{}", ""), typeOf("#", "!x &y *z", ""), typeOf("ü", "日本語 😀", ""),
		typeOf(strings.Repeat("長", 128), strings.Repeat("い", 128), ""), typeOf(" ", "\n\t\r", ""), typeOf("\u2028", "\u0001\u007f\u0085\ufeff", ""),
		typeOf("con", "nul", `{"z": {"y": "no", "on": "1_000", "a": [1, -0, 1e5, 1.50, 1E-7, 123456789012345678901234567890, true, null, "null", "~", "0o7", "12:30:45", "2020-01-01", "<<", "=", "multi\nline \n", ""]}, "a": [{}, [], [[]]], "": {}}`),
		typeOf("c", "d", `{"type": "object", "properties": {"p": {"pattern": "^[^:]+: #\\d{1,3}$", "description": "say \"hi\": <b>&"}}}`),
	}
	types[0].Description = "line one\n  indented: yes\n\n# no comment\n"
	types[1].Mode = eventtype.Observe
	directory := filepath.Join(t.TempDir(), "plan")
	written, err := plan.ExportTypes(directory, types)
	require.NoError(t, err)
	require.Len(t, written, len(types))
	folded := map[string]bool{}
	for _, path := range written {
		require.Equal(t, directory, filepath.Dir(path))
		require.Regexp(t, `^[A-Za-z0-9%._~-]{1,255}$`, filepath.Base(path))
		require.False(t, folded[strings.ToLower(path)], path)
		folded[strings.ToLower(path)] = true
	}

	same := func(read plan.Plan) {
		require.Len(t, read, len(types))
		for i := range types {
			found := false
			for j := range read {
				if read[j].Key == types[i].Key {
					found = read[j].Equal(types[i].Spec)
				}
			}

			require.True(t, found, types[i].Path())
		}
	}
	read, err := plan.Read(directory, nil, eventtype.Draft2020)
	require.NoError(t, err)
	same(read)
	// A second export into the same directory, and one text in either form.
	_, err = plan.ExportTypes(directory, types)
	require.NoError(t, err)
	for _, render := range []func(*eventtype.Type) ([]byte, error){
		plan.RenderJSON, func(one *eventtype.Type) ([]byte, error) {
			text, err := plan.RenderYAML(one, "a\nb")
			return append([]byte("---\n"), text...), err
		},
	} {
		var all []byte
		for i := range types {
			text, err := render(&types[i])
			require.NoError(t, err)
			all = append(all, text...)
		}

		read, err = plan.Read(plan.Stdin, strings.NewReader(string(all)), eventtype.Draft2020)
		require.NoError(t, err)
		same(read)
	}

	// Without one of the types, whose file would bring it back.
	_, err = plan.ExportTypes(directory, types[1:])
	require.ErrorIs(t, err, plan.ErrForeign)
}

func TestADiffShowsWhatChanges(t *testing.T) {
	t.Parallel()
	before := typeOf("form", "submit", `{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}, "c": {}}}`)
	before.Version = 3
	after := typeOf("form", "submit", `{"properties": {"c": {}, "b": {"type": "integer"}, "a": {"type": "string"}}, "type": "object"}`)
	after.Version = 4
	text, err := plan.DiffTypes(&before, &after)
	require.NoError(t, err)
	require.Equal(t, `--- form/submit version 3
+++ form/submit version 4
@@ -6,6 +6,6 @@
     a:
       type: string
     b:
-      type: string
+      type: integer
     c: {}
   type: object
`, text)
	text, err = plan.DiffTypes(&before, &before)
	require.NoError(t, err)
	require.Empty(t, text)
	text, err = plan.DiffTypes(nil, &after)
	require.NoError(t, err)
	require.Contains(t, text, "--- none\n+++ form/submit version 4\n@@ -0,0 +1,11 @@\n+category: form\n")
	text, err = plan.DiffTypes(&before, nil)
	require.NoError(t, err)
	require.Contains(t, text, "@@ -1,11 +0,0 @@\n-category: form\n")
}

// FuzzRead checks that a text is either rejected, or rendered so that it reads the same.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"category: a\nname: b\nschema: {type: object, enum: [1, 1.5e3, yes, ~, 2020-01-01]}\n",
		"category: a\nname: \"b\\u2028\"\nmode: observe\ndescription: |2-\n   x\n", "category: &a x\nname: *a\n", "--- \n...\n---\n- a", "? [a]\n: b\n",
	} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, text string) {
		read, err := plan.Read(plan.Stdin, strings.NewReader(text), eventtype.Draft2020)
		if err != nil {
			require.ErrorIs(t, err, plan.ErrInvalid)
			return
		}

		for i := range read {
			one := eventtype.Type{Key: read[i].Key, Spec: read[i].Spec}
			rendered, err := plan.RenderYAML(&one, "")
			require.NoError(t, err)
			again, err := plan.Read(plan.Stdin, strings.NewReader(string(rendered)), eventtype.Draft2020)
			require.NoError(t, err, "%s", rendered)
			require.Equal(t, one.Key, again[0].Key, "%s", rendered)
			require.True(t, again[0].Equal(one.Spec), "%s", rendered)
		}
	})
}

// Each document of a file, a schema or a document of a plan, is converted in its place and
// its form, and the problems of all of them are reported.
func TestAFileIsConverted(t *testing.T) {
	t.Parallel()
	const old = "category: a\nname: b\nschema: {items: [{type: string}]}\n---\nitems: [{const: 1}]\nadditionalItems: false\n"
	text, notes, err := plan.ConvertFile(plan.Stdin, strings.NewReader(old), eventtype.Draft7)
	require.NoError(t, err)
	require.Empty(t, notes)
	require.Equal(t, `category: a
name: b
mode: enforce
schema:
  $schema: "https://json-schema.org/draft/2020-12/schema"
  prefixItems:
    - type: string
---
$schema: "https://json-schema.org/draft/2020-12/schema"
prefixItems:
  - const: 1
items: false
`, string(text))

	again, _, err := plan.ConvertFile(plan.Stdin, strings.NewReader(string(text)), eventtype.Draft4)
	require.NoError(t, err)
	require.Equal(t, string(text), string(again), "it says that it was converted")

	_, _, err = plan.ConvertFile(plan.Stdin, strings.NewReader("a\n---\ntype: strin\n---\ncategory: a\nname: b\nmode: c\n"), eventtype.Draft7)
	require.ErrorIs(t, err, plan.ErrInvalid)
	for _, at := range []string{"-: it is not an object", "- (document 2): /schema/type: ", "- (document 3): /mode: "} {
		require.ErrorContains(t, err, at)
	}
}
