package eventtype

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// A schema of an older draft means the same after its conversion: each value of the
// published suite fits it before and after, or neither.
func TestConvertedSchemasOfThePublishedSuiteMeanTheSame(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", "-modfile=tools/suite/go.mod", "cuelang.org/go")
	command.Dir = filepath.Join("..", "..")
	out, err := command.Output()
	require.NoError(t, err, "the suite cannot be downloaded: %s", out)
	var module struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &module))

	for _, each := range []struct {
		draft Draft
		of    *jsonschema.Draft
		name  string
	}{
		{Draft4, jsonschema.Draft4, "draft4"},
		{Draft6, jsonschema.Draft6, "draft6"},
		{Draft7, jsonschema.Draft7, "draft7"},
		{Draft2019, jsonschema.Draft2019, "draft2019-09"},
	} {
		draft, of, name := each.draft, each.of, each.name
		files, err := filepath.Glob(filepath.Join(module.Dir, "encoding", "jsonschema", "testdata", "external", "tests", name, "*.json"))
		require.NoError(t, err)
		require.Greater(t, len(files), 25, name)
		judged := 0
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var cases []convertCase
			require.NoError(t, json.Unmarshal(text, &cases))
			for _, c := range cases {
				judged += c.compare(t, draft, of, name+"/"+filepath.Base(file)+": "+c.Description)
			}
		}

		require.Greater(t, judged, 400, name)
		t.Logf("%s: %d values", draft, judged)
	}
}

// convertCase is a case of the suite.
type convertCase struct {
	Description string
	Schema      json.RawMessage
	Tests       []struct {
		Description string
		Data        json.RawMessage
	}
}

// compare validates the values of a case against its schema before and after.
func (c *convertCase) compare(t *testing.T, draft Draft, of *jsonschema.Draft, name string) (judged int) {
	t.Helper()
	if !bytes.HasPrefix(bytes.TrimSpace(c.Schema), []byte("{")) {
		return 0 // a schema here is an object
	}

	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(of)
	compiler.AssertFormat()
	registerFormats(compiler)
	compiler.UseLoader(noLoader{})
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.Schema))
	require.NoError(t, err)
	if compiler.AddResource(baseURL, document) != nil {
		return 0
	}

	before, err := compiler.Compile(baseURL)
	if err != nil {
		return 0 // it needs a schema from outside
	}

	adopted := c.adopt(t, draft, of, name)
	text, _, err := ConvertSchema(c.Schema, draft)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return 0
	}

	if document, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil {
		t.Errorf("%s: %s: %v", name, text, err)
		return 0
	}

	after, err := compileDocument(document)
	if err != nil {
		t.Errorf("%s: %s: %v", name, text, err)
		return 0
	}

	for _, one := range c.Tests {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(one.Data))
		require.NoError(t, err)
		if was, is := before.Validate(value) == nil, after.Validate(value) == nil; was != is {
			t.Errorf("%s: %s: %s: fitted %t, fits %t\n%s\n%s", name, one.Description, one.Data, was, is, c.Schema, text)
		}

		if adopted != nil {
			require.Equal(t, before.Validate(value) == nil, adopted.Validate(value) == nil, "%s: %s: %s, as it is", name, one.Description, c.Schema)
		}

		judged++
	}

	return judged
}

// adopt compiles a schema of an older draft unchanged; nil if it would have another
// meaning.
func (c *convertCase) adopt(t *testing.T, draft Draft, of *jsonschema.Draft, name string) *jsonschema.Schema {
	t.Helper()
	tree, err := readTree(c.Schema)
	require.NoError(t, err)
	root, _ := tree.(orderedObject)
	if !root.has("$schema") {
		root = append(orderedObject{{"$schema", of.String()}}, root...)
	}

	require.Equal(t, draft, draftOf(root), name)
	text, err := root.MarshalJSON()
	require.NoError(t, err)
	if text, err = acceptOlderDraft(text); err != nil {
		return nil
	}

	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	adopted, err := compileDocument(document)
	if err != nil {
		return nil // it cannot be used at all
	}

	return adopted
}
