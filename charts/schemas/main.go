package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// chartKinds are the objects that the chart makes, by the document that describes them.
func chartKinds() map[string][]string {
	return map[string][]string{
		"api__v1":                             {"ConfigMap", "Pod", "Secret", "Service", "ServiceAccount"},
		"apis__apps__v1":                      {"Deployment", "StatefulSet"},
		"apis__autoscaling__v2":               {"HorizontalPodAutoscaler"},
		"apis__batch__v1":                     {"Job"},
		"apis__networking.k8s.io__v1":         {"Ingress", "NetworkPolicy"},
		"apis__policy__v1":                    {"PodDisruptionBudget"},
		"apis__rbac.authorization.k8s.io__v1": {"Role", "RoleBinding"},
	}
}

const reference = "#/components/schemas/"

func main() {
	const arguments = 3

	if len(os.Args) != arguments {
		fmt.Fprintln(os.Stderr, "usage: schemas FOLDER-OF-THE-MODULE FOLDER-TO-WRITE")
		os.Exit(1)
	}

	if err := writeSchemas(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

// writeSchemas extracts the schemas of all kinds: a small file for each, and the shared schemas
// in definitions.json.
func writeSchemas(module, to string) error {
	shared := map[string]any{}
	files := map[string]any{"definitions.json": map[string]any{"definitions": shared}}
	for document, names := range chartKinds() {
		all, err := readDocument(filepath.Join(module, "api/openapi-spec/v3", document+"_openapi.json"))
		if err != nil {
			return err
		}

		for _, name := range names {
			id, err := findKindID(all, name)
			if err != nil {
				return fmt.Errorf("%s: %w", document, err)
			}

			if err := collectSchemas(all, id, shared); err != nil {
				return fmt.Errorf("%s: %w", document, err)
			}

			files[fileName(document, name)] = map[string]any{
				"allOf": []any{map[string]any{"$ref": "definitions.json#/definitions/" + id}, map[string]any{"required": []string{"apiVersion", "kind", "metadata"}}},
			}
		}
	}

	for name, content := range files {
		text, err := json.Marshal(content)
		if err != nil {
			return fmt.Errorf("render %s: %w", name, err)
		}

		if err := os.WriteFile(filepath.Join(to, name), append(text, '\n'), 0o644); err != nil { //nolint:gosec // a public file
			return fmt.Errorf("write: %w", err)
		}
	}

	return nil
}

// fileName returns the name under which kubeconform expects a kind: deployment-apps-v1.json.
func fileName(document, kind string) string {
	parts := strings.Split(document, "__")
	group, _, _ := strings.Cut(parts[1], ".")
	if parts[0] == "api" {
		return strings.ToLower(kind) + "-v1.json"
	}

	return strings.ToLower(kind) + "-" + group + "-" + parts[2] + ".json"
}

func readDocument(name string) (map[string]any, error) {
	text, err := os.ReadFile(name) //nolint:gosec // the caller names the folder
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}

	var document struct {
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}

	return document.Components.Schemas, nil
}

// findKindID returns the id of a kind: io.k8s.api.apps.v1.Deployment. A document also contains
// schemas that are not kinds of its own, so the end of the id alone is not enough.
func findKindID(all map[string]any, kind string) (string, error) {
	for id, schema := range all {
		object, isObject := schema.(map[string]any)
		if isObject && strings.HasSuffix(id, "."+kind) && object["x-kubernetes-group-version-kind"] != nil {
			return id, nil
		}
	}

	return "", errors.New("no kind " + kind)
}

// collectSchemas adds a schema, and all schemas that it refers to, to shared.
func collectSchemas(all map[string]any, id string, shared map[string]any) error {
	if shared[id] != nil {
		return nil
	}

	schema, found := all[id]
	if !found {
		return errors.New("there is no schema " + id)
	}

	var refers []string
	shared[id] = makeStrict(schema, &refers)
	for _, other := range refers {
		if err := collectSchemas(all, other, shared); err != nil {
			return err
		}
	}

	return nil
}

// makeStrict copies a schema without descriptions, rejects unknown members, and records the
// schemas that it refers to.
func makeStrict(schema any, refers *[]string) any {
	switch s := schema.(type) {
	case map[string]any:
		made := map[string]any{}
		for key, value := range s {
			text, isText := value.(string)
			switch {
			case key == "$ref" && isText:
				id := strings.TrimPrefix(text, reference)
				*refers = append(*refers, id)
				made[key] = "#/definitions/" + id
			case key == "properties":
				made[key] = makePropertiesStrict(value, refers)
			case key == "description" || key == "default" || key == "format" || strings.HasPrefix(key, "x-kubernetes-"):
			default:
				made[key] = makeStrict(value, refers)
			}
		}

		if made["properties"] != nil && made["additionalProperties"] == nil {
			made["additionalProperties"] = false
		}

		return made
	case []any:
		made := make([]any, len(s))
		for i, value := range s {
			made[i] = makeStrict(value, refers)
		}

		return made
	}

	return schema
}

// makePropertiesStrict changes the values alone: a property may be called description.
func makePropertiesStrict(properties any, refers *[]string) any {
	made := map[string]any{}
	if all, isObject := properties.(map[string]any); isObject {
		for name, schema := range all {
			made[name] = makeStrict(schema, refers)
		}
	}

	return made
}
