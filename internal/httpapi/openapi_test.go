package httpapi_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func openAPI(t testing.TB) map[string]any {
	t.Helper()
	var document map[string]any
	require.NoError(t, json.Unmarshal(httpapi.OpenAPI(), &document))
	return document
}

// resolve follows a $ref, if the value is one.
func resolve(t testing.TB, document map[string]any, value any) map[string]any {
	t.Helper()
	object := at[map[string]any](t, value)
	target, ok := object["$ref"].(string)
	if !ok {
		return object
	}

	path, ok := strings.CutPrefix(target, "#/")
	require.True(t, ok, "%s leads out of the document", target)
	found := any(document)
	for step := range strings.SplitSeq(path, "/") {
		found = at[any](t, found, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
	}

	return at[map[string]any](t, found)
}

// walk calls visit with every object of a document.
func walk(value any, visit func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		visit(v)
		for _, member := range v {
			walk(member, visit)
		}
	case []any:
		for _, element := range v {
			walk(element, visit)
		}
	}
}

func TestOpenAPIIsWhole(t *testing.T) {
	t.Parallel()
	document := openAPI(t)
	require.Equal(t, "3.1.0", document["openapi"])
	used := map[string]bool{}
	walk(document, func(object map[string]any) {
		if target, ok := object["$ref"].(string); ok {
			resolve(t, document, object)
			used[target] = true
		}
	})
	for kind, group := range at[map[string]any](t, document, "components") {
		for name := range at[map[string]any](t, group) {
			require.True(t, used["#/components/"+kind+"/"+name] || kind == "securitySchemes", "nothing uses %s/%s", kind, name)
		}
	}

	// Objects list their members, so that no schema accepts everything.
	for name, schema := range at[map[string]any](t, document, "components", "schemas") {
		members, ok := at[map[string]any](t, schema)["required"].([]any)
		if !ok {
			continue
		}

		for _, member := range members {
			require.Contains(t, at[map[string]any](t, schema, "properties"), member, name)
		}
	}
}

// TestOpenAPIFeedsGenerators checks the requirements of client generators: they make a type of
// each component, whatever its kind, and lose schemas without a name.
func TestOpenAPIFeedsGenerators(t *testing.T) {
	t.Parallel()
	document := openAPI(t)
	kinds := map[string]string{}
	for kind, group := range at[map[string]any](t, document, "components") {
		for name := range at[map[string]any](t, group) {
			typed := strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
			require.Empty(t, kinds[typed], "%s/%s has the name of another component", kind, name)
			kinds[typed] = kind
		}
	}

	for path, item := range at[map[string]any](t, document, "paths") {
		for method, operation := range at[map[string]any](t, item) {
			if requestBody, ok := at[map[string]any](t, operation)["requestBody"]; ok {
				requireNamed(t, at[any](t, requestBody, "content"), "the body of "+method+" "+path)
			}

			for status, response := range at[map[string]any](t, operation, "responses") {
				if content, ok := resolve(t, document, response)["content"]; ok {
					requireNamed(t, content, "answer "+status+" of "+method+" "+path)
				}
			}
		}
	}

	walk(document, func(object map[string]any) { delete(object, "examples") })
	walk(at[any](t, document, "components", "schemas"), func(schema map[string]any) {
		if schema["type"] == "object" && schema["properties"] == nil {
			require.NotContains(t, []any{nil, false}, schema["additionalProperties"], "otherwise it is a type without members: %v", schema)
		}

		for _, refused := range []string{"uniqueItems", "anyOf"} {
			require.NotContains(t, schema, refused, "generators of servers and clients refuse it")
		}

		if _, ok := schema["const"]; ok {
			require.NotEmpty(t, schema["type"], "%v", schema)
		}

		if _, ok := schema["enum"]; ok {
			require.NotEmpty(t, schema["type"], "%v", schema)
		}
	})
}

// requireNamed requires that the schemas of bodies are components, except for text.
func requireNamed(t testing.TB, content any, what string) {
	t.Helper()
	for media, one := range at[map[string]any](t, content) {
		schema := at[map[string]any](t, one, "schema")
		require.True(t, schema["$ref"] != nil || schema["type"] == "string", "%s as %s has no name", what, media)
	}
}

// TestOpenAPIAndRoutes compares the document with the route table.
func TestOpenAPIAndRoutes(t *testing.T) {
	t.Parallel()
	document := openAPI(t)
	documented := map[string]map[string]any{}
	for path, item := range at[map[string]any](t, document, "paths") {
		for method, operation := range at[map[string]any](t, item) {
			documented[strings.ToUpper(method)+" "+path] = at[map[string]any](t, operation)
		}
	}

	ids := map[string]bool{}
	for _, route := range httpapi.Routes() {
		name := route.Method + " " + route.Template()
		operation, ok := documented[name]
		require.True(t, ok, "%s is not documented", name)
		delete(documented, name)

		id := at[string](t, operation, "operationId")
		require.False(t, ids[id], "%s occurs twice", id)
		ids[id] = true
		require.NotEmpty(t, at[string](t, operation, "summary"))
		require.Len(t, at[[]any](t, operation, "tags"), 1)

		places := map[string][]string{}
		for _, one := range at[[]any](t, operation, "parameters") {
			parameter := resolve(t, document, one)
			in := at[string](t, parameter, "in")
			places[in] = append(places[in], at[string](t, parameter, "name"))
			require.NotEmpty(t, parameter["description"])
			require.Equal(t, in == "path", parameter["required"] == true, name)
		}

		require.ElementsMatch(t, inBraces(route.Template()), places["path"], name)
		for _, alias := range route.Paths[1:] {
			mentioned := strings.ReplaceAll(alias, ":id", "{id}")
			require.Contains(t, at[string](t, operation, "description"), "`"+mentioned+"`", name)
		}

		security := at[[]any](t, operation, "security")
		responses := at[map[string]any](t, operation, "responses")
		switch route.Scope {
		case "":
			require.Empty(t, security, name)
		case "collect":
			require.Equal(t, []any{map[string]any{"publicKey": []any{}}}, security, name)
			scheme := at[map[string]any](t, document, "components", "securitySchemes", "publicKey")
			require.Equal(t, "query", scheme["in"])
			places["query"] = append(places["query"], at[string](t, scheme, "name"))
		default:
			require.Equal(t, []any{map[string]any{"applicationKey": []any{route.Scope}}}, security, name)
		}

		require.ElementsMatch(t, route.Query, places["query"], name)
		if route.Scope != "" {
			for _, status := range []string{"401", "403", "503"} {
				require.Contains(t, responses, status, name)
			}
		}

		require.Contains(t, responses, "400", name)
		require.Contains(t, responses, "default", name)
		require.Equal(t, body(route.Method) != "", operation["requestBody"] != nil, name)
		if operation["requestBody"] != nil {
			for _, status := range []string{"408", "413", "415"} {
				require.Contains(t, responses, status, name)
			}
		}

		requireResponses(t, document, name, responses)
	}

	require.Empty(t, slices.Collect(maps.Keys(documented)), "documented, but missing")
}

func requireResponses(t testing.TB, document map[string]any, name string, responses map[string]any) {
	t.Helper()
	for status, response := range responses {
		response := resolve(t, document, response)
		require.NotEmpty(t, response["description"], name)
		require.Contains(t, at[map[string]any](t, response, "headers"), "X-Request-Id", name)
		if code, err := strconv.Atoi(status); err != nil || code >= 400 {
			require.Equal(t, []string{"application/problem+json"}, slices.Collect(maps.Keys(at[map[string]any](t, response, "content"))), name)
		}
	}
}

func inBraces(template string) []string {
	var names []string
	for _, match := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(template, -1) {
		names = append(names, match[1])
	}

	return names
}

func TestOpenAPIIsServed(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	answer := s.WithKey("").Do(t, http.MethodGet, "/v1/openapi.json", "")
	require.Equal(t, http.StatusOK, answer.Status)
	require.Equal(t, string(httpapi.OpenAPI()), string(answer.Body))
	document := openAPI(t)

	// The limits that it shows are the defaults.
	limits := render(t, mustGet(t, s.Client, "/v1/limits"))
	require.JSONEq(t, limits, render(t, at[any](t, document, "components", "schemas", "Limits", "examples", 0)))
	// Its examples of requests are valid requests.
	for _, path := range []string{"/v1/validate", "/v1/events"} {
		content := at[map[string]any](t, document, "paths", path, "post", "requestBody", "content")
		for media := range content {
			for name, example := range at[map[string]any](t, content, media, "examples") {
				sent, ok := at[any](t, example, "value").(string)
				if !ok {
					sent = render(t, at[any](t, example, "value"))
				}

				answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, path, sent, "Content-Type", media)
				require.Less(t, answer.Status, 207, "%s: %s", name, answer.Body)
			}
		}
	}

	event := "/v1/events/" + at[string](t, mustGet(t, s.Client, "/v1/events?limit=1"), "events", 0, "event_id")
	patch := at[any](t, document, "paths", "/v1/events/{id}", "patch", "requestBody", "content", mergePatch, "examples", "patch", "value")
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodPatch, event, render(t, patch), "Content-Type", mergePatch).Status)
	for path, schema := range map[string]string{"/v1/applications": "ApplicationSpec", "/v1/applications/shop/keys": "KeySpec", "/v1/erasures": "ErasureSpec"} {
		example := at[any](t, document, "components", "schemas", schema, "examples", 0)
		require.Contains(t, []int{http.StatusCreated, http.StatusAccepted}, s.Do(t, http.MethodPost, path, render(t, example)).Status, schema)
	}

	requireDocumented(t, s, document)
}

// requireDocumented checks that responses have exactly the members that the document gives them.
func requireDocumented(t testing.TB, s *apptest.Service, document map[string]any) {
	t.Helper()
	refused := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", batchOf(newEvent(t, newID()), `{}`)).JSON(t)
	session := at[string](t, mustGet(t, s.Client, "/v1/sessions"), "sessions", 0, "session_id")
	created := s.Do(t, http.MethodPost, "/v1/applications/shop/keys", `{"scopes":["read"]}`).JSON(t)
	events, errors := mustGet(t, s.Client, "/v1/events"), mustGet(t, s.Client, "/v1/errors")
	erasing := s.Do(t, http.MethodDelete, "/v1/sessions/"+session, "")
	erased := erasing.JSON(t)
	for schema, answer := range map[string]any{
		"BatchVerdict": refused, "Verdict": at[any](t, refused, "results", 1), "Violation": at[any](t, refused, "results", 1, "errors", 0),
		"EventPage": events, "StoredEvent": at[any](t, events, "events", 0), "ErrorPage": errors, "Error": at[any](t, errors, "errors", 0),
		"SessionPage": mustGet(t, s.Client, "/v1/sessions"), "Session": at[any](t, mustGet(t, s.Client, "/v1/sessions"), "sessions", 0), "Erased": erased,
		"Erasure":     mustGet(t, s.Client, erasing.Header.Get("Location")),
		"Application": mustGet(t, s.Client, "/v1/applications/shop"), "Key": at[any](t, mustGet(t, s.Client, "/v1/applications/shop/keys"), "keys", 0),
		"CreatedKey": created, "Limits": mustGet(t, s.Client, "/v1/limits"),
		"Problem": s.Do(t, http.MethodGet, "/nothing", "").JSON(t), "Opinion": s.Do(t, http.MethodPost, "/v1/validate", newEvent(t, newID())).JSON(t),
		"ChangePage": mustGet(t, s.Client, "/v1/events/changes"), "Stats": mustGet(t, s.Client, "/v1/stats"),
		"StatsBucket": at[any](t, mustGet(t, s.Client, "/v1/stats?interval=day&from=2021-01-01&group_by=category,name,application"), "buckets", 0),
		"ErrorStats":  mustGet(t, s.Client, "/v1/errors/stats"), "ErrorStatsBucket": at[any](t, mustGet(t, s.Client, "/v1/errors/stats?interval=day&group_by=code,application,category,name"), "buckets", 0),
		"ErrorGroups": mustGet(t, s.Client, "/v1/errors/groups"), "ErrorGroup": at[any](t, mustGet(t, s.Client, "/v1/errors/groups"), "groups", 0),
		"ReplayTotals": s.Do(t, http.MethodPost, "/v1/errors/replay", `{"all":true}`).JSON(t), "DiscardTotals": s.Do(t, http.MethodPost, "/v1/errors/discard", `{"all":true}`).JSON(t),
		"AuditPage": mustGet(t, s.Client, "/v1/audit"), "AuditEntry": at[any](t, mustGet(t, s.Client, "/v1/audit"), "entries", 0),
		"BatchOpinion": s.Do(t, http.MethodPost, "/v1/validate", batchOf(`{}`)).JSON(t),
	} {
		described := at[map[string]any](t, document, "components", "schemas", schema)
		members := at[map[string]any](t, described, "properties")
		got := at[map[string]any](t, answer)
		for member := range got {
			require.Contains(t, members, member, schema)
		}

		for _, member := range at[[]any](t, described, "required") {
			require.Contains(t, got, member, schema)
		}
	}
}

// TestCodesAreDocumented compares the list in the code, the OpenAPI document and docs/errors.md.
func TestCodesAreDocumented(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../fault/code.go", nil, 0)
	require.NoError(t, err)
	var codes []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}

		require.Equal(t, "Code", fmt.Sprint(spec.Type))
		for _, value := range spec.Values {
			literal, ok := value.(*ast.BasicLit)
			require.True(t, ok)
			text, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			codes = append(codes, text)
		}

		return true
	})
	require.Greater(t, len(codes), 40)

	var listed []string
	for _, code := range at[[]any](t, openAPI(t), "components", "schemas", "Code", "enum") {
		listed = append(listed, at[string](t, code))
	}

	require.ElementsMatch(t, codes, listed, "the schema Code in openapi.json")

	page, err := os.ReadFile("../../docs/errors.md")
	require.NoError(t, err)
	var explained []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(string(page), -1) {
		explained = append(explained, row[1])
	}

	require.ElementsMatch(t, codes, explained, "the tables of docs/errors.md")
	for _, name := range regexp.MustCompile("`([a-z]+(?:_[a-z0-9]+)+)`").FindAllStringSubmatch(at[string](t, openAPI(t), "info", "description"), -1) {
		require.Contains(t, codes, name[1])
	}
}
