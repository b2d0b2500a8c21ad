package charts_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// schema is the part of the values' schema that the tests read.
type schema struct {
	Type       any               `json:"type"`
	Enum       []any             `json:"enum"`
	Open       *bool             `json:"additionalProperties"` //nolint:tagliatelle // JSON Schema's name
	Properties map[string]schema `json:"properties"`
}

func readSchema(t *testing.T) schema {
	t.Helper()
	text, err := os.ReadFile("the-eye/values.schema.json")
	require.NoError(t, err)
	var s schema
	require.NoError(t, json.Unmarshal(text, &s))

	return s
}

func readValues(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile("the-eye/values.yaml")
	require.NoError(t, err)
	var values map[string]any
	require.NoError(t, yaml.Unmarshal(text, &values))

	return values
}

// The schema has every value and no other, and rejects unknown values. Objects of Kubernetes
// (affinity, resources, ...) are open, and so are the values for parent charts.
func TestSchemaHasTheValues(t *testing.T) {
	t.Parallel()
	compare(t, "values", readValues(t), readSchema(t))
}

func compare(t *testing.T, path string, values map[string]any, s schema) {
	t.Helper()
	require.NotNil(t, s.Open, "%s accepts everything", path)
	require.False(t, *s.Open, "%s accepts everything", path)
	for name := range s.Properties {
		require.Contains(t, values, name, "%s of the schema is not in values.yaml", path+"."+name)
	}

	for name, value := range values {
		below, found := s.Properties[name]
		require.True(t, found, "%s is not in the schema", path+"."+name)
		object, isObject := value.(map[string]any)
		if path+"."+name == "values.config" || !isObject || below.Properties == nil {
			require.True(t, below.Type != nil || below.Enum != nil, "%s has no type", path+"."+name)
			require.Equal(t, isObject, below.Type == "object", "%s", path+"."+name)
			continue
		}

		// A value without a default, such as a storage class, is in the schema alone.
		for inner := range below.Properties {
			if _, given := object[inner]; !given && path+"."+name+"."+inner == "values.cnpg.storage.storageClass" {
				object[inner] = ""
			}
		}

		compare(t, path+"."+name, object, below)
	}
}

// A value that no template reads has no effect, and would mislead its users.
func TestEveryValueIsUsed(t *testing.T) {
	t.Parallel()
	var templates strings.Builder
	require.NoError(t, filepath.WalkDir("the-eye/templates", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}

		text, err := os.ReadFile(name)
		templates.Write(text)

		return err
	}))

	for _, path := range leaves("", readValues(t)) {
		require.True(t, used(templates.String(), path), "no template reads %s", path)
	}
}

// used reports whether a value, or an object around it, is read as a whole.
func used(templates, path string) bool {
	for path != "" && path != "global" {
		for _, end := range []string{" ", "}", ")", "|", "\n"} {
			if strings.Contains(templates, ".Values."+path+end) {
				return true
			}
		}

		path = path[:max(0, strings.LastIndex(path, "."))]
	}

	return path == "global" // for parent charts
}

func leaves(path string, values map[string]any) (found []string) {
	for name, value := range values {
		if object, isObject := value.(map[string]any); isObject && len(object) > 0 {
			found = append(found, leaves(path+name+".", object)...)
		} else {
			found = append(found, path+name)
		}
	}

	return found
}
