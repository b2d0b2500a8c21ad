package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// workbench is a running service, with the commands on its database.
type workbench struct {
	*apptest.Service
	directory string
}

func newWorkbench(t *testing.T) *workbench {
	t.Helper()
	return &workbench{apptest.Start(t, nil), t.TempDir()}
}

// run runs event-type, and removes the directory of the files from its output.
func (w *workbench) run(t testing.TB, code int, arguments ...string) (out, errOut string) {
	t.Helper()
	got, out, errOut := finish(t, []string{"THEEYE_DATABASE_URL=" + w.Database.DSN()}, append([]string{"event-type"}, arguments...)...)
	require.Equal(t, code, got, "%v: %s%s", arguments, out, errOut)
	shorten := func(text string) string { return strings.ReplaceAll(text, w.directory+"/", "") }
	return shorten(out), shorten(errOut)
}

func (w *workbench) file(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(w.directory, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// post posts an event of form/submit and returns the status.
func (w *workbench) post(t testing.TB, data string) int {
	t.Helper()
	body := fmt.Sprintf(`{"session_id": %q, "category": "form", "name": "submit", "timestamp": "2026-01-01T00:00:00Z", "data": %s}`, uuid.NewString(), data)
	return w.WithKey(w.Ingest).Do(t, http.MethodPost, "/v1/events", body).Status
}

func (w *workbench) audited(t testing.TB) (entries int) {
	t.Helper()
	row := w.Database.Pool(t).QueryRow(context.Background(), "select count(*) from audit_entry where action like 'event_type%'")
	require.NoError(t, row.Scan(&entries))
	return entries
}

const oneType = `category: form
name: submit
schema:
  type: object
  required: [email]
  properties:
    email: {type: string, format: email}
`

const twoTypes = oneType + `---
category: page
name: a/b %2F
mode: observe
description: A page
`

func TestEventTypesAsCode(t *testing.T) {
	t.Parallel()
	w := newWorkbench(t)
	plan := w.file(t, "plan/types.yaml", twoTypes)
	out, _ := w.run(t, 0, "apply", "-f", plan, "--dry-run")
	require.Contains(t, out, "created form/submit\n--- none\n+++ form/submit version 1\n")
	require.Contains(t, out, "2 created, 0 changed, 0 deleted, 0 unchanged; nothing was changed\n")
	out, _ = w.run(t, 0, "list")
	require.NotContains(t, out, "submit")
	_, errOut := w.run(t, 1, "diff", "-f", plan)
	require.Contains(t, errOut, "event types that differ: 2")
	w.run(t, 0, "apply", "-f", filepath.Dir(plan))
	entries := w.audited(t)
	require.Equal(t, 2, entries)
	// The running service applies it within 5 s.
	require.Eventually(t, func() bool { return w.post(t, `{}`) == http.StatusBadRequest }, time.Minute, 50*time.Millisecond)
	require.Equal(t, http.StatusCreated, w.post(t, `{"email": "jane@example.com"}`))
	// Again: nothing changes.
	out, _ = w.run(t, 0, "apply", "-f", plan)
	require.Equal(t, "unchanged form/submit\nunchanged page/a%2Fb%20%252F\n0 created, 0 changed, 0 deleted, 2 unchanged\n", out)
	w.run(t, 0, "diff", "-f", plan)
	require.Equal(t, entries, w.audited(t))
	out, _ = w.run(t, 0, "list")
	require.Regexp(t, `(?m)^page +a/b %2F +1 +observe +none +\S+Z +A page$`, out)
	// Applying an export changes nothing, in each form.
	exported := filepath.Join(w.directory, "exported")
	out, _ = w.run(t, 0, "export", "-d", exported)
	require.Equal(t, "exported/form.submit.yaml\nexported/page.a%2Fb%20%252F.yaml\n", out)
	for _, form := range []string{"yaml", "json"} {
		out, _ = w.run(t, 0, "export", "-o", form)
		out, _ = w.run(t, 0, "apply", "--prune", "-f", w.file(t, "all."+form, out))
		require.Contains(t, out, "0 created, 0 changed, 0 deleted, 2 unchanged\n")
	}

	w.run(t, 0, "diff", "--prune", "-f", exported)
	// One type is changed, one is missing.
	changed := w.file(t, "changed.yaml", strings.ReplaceAll(oneType, "[email]", "[email, phone]"))
	out, _ = w.run(t, 0, "apply", "--prune", "-f", changed)
	require.Contains(t, out, "changed form/submit\n--- form/submit version 1\n+++ form/submit version 2\n")
	require.Contains(t, out, "-  required: [email]\n+  required: [email, phone]\n")
	require.Contains(t, out, "deleted page/a%2Fb%20%252F\n")
	require.Contains(t, out, "0 created, 1 changed, 1 deleted, 0 unchanged\n")
	out, _ = w.run(t, 0, "get", "form", "submit", "--version", "1", "-o", "json")
	require.JSONEq(t, `{"category": "form", "name": "submit", "mode": "enforce", "description": "",
		"schema": {"type": "object", "required": ["email"], "properties": {"email": {"type": "string", "format": "email"}}}}`, out)
	w.run(t, 1, "get", "page", "a/b %2F")
	w.run(t, 0, "delete", "form", "submit")
	w.run(t, 1, "delete", "form", "submit")
	w.run(t, 64, "apply")
	w.run(t, 64, "get", "form", "submit", "-o", "xml", "--version", "1")
}

// With --json, diff and apply print an entry for each type of the plan, with the type before and
// after as the API shows it. The exit codes are the same.
func TestChangesOfEventTypesAsJSON(t *testing.T) {
	t.Parallel()
	w := newWorkbench(t)
	changes := func(code int, arguments ...string) (all []map[string]any) {
		t.Helper()
		out, _ := w.run(t, code, append(arguments, "--json")...)
		require.NoError(t, json.Unmarshal([]byte(out), &all), out)
		return all
	}
	outcomes := func(all []map[string]any) (found []string) {
		for _, one := range all {
			found = append(found, fmt.Sprintf("%v %v/%v before:%t after:%t", one["outcome"], one["category"], one["name"], one["before"] != nil, one["after"] != nil))
		}

		return found
	}
	plan := w.file(t, "types.yaml", twoTypes)
	created := []string{"created form/submit before:false after:true", "created page/a/b %2F before:false after:true"}
	require.Equal(t, created, outcomes(changes(1, "diff", "-f", plan)))
	require.Equal(t, created, outcomes(changes(0, "apply", "--dry-run", "-f", plan)))
	require.Zero(t, w.audited(t), "nothing was changed")
	made := changes(0, "apply", "-f", plan)
	require.Equal(t, created, outcomes(made))
	answer := w.WithKey(w.Admin).Do(t, http.MethodGet, "/v1/event-types/form/submit", "")
	shown, err := json.Marshal(made[0]["after"])
	require.NoError(t, err)
	require.JSONEq(t, string(answer.Body), string(shown), "the type is shown as the API shows it")

	require.Equal(t, []string{"unchanged form/submit before:true after:true", "unchanged page/a/b %2F before:true after:true"}, outcomes(changes(0, "diff", "-f", plan)))
	changed := w.file(t, "changed.yaml", strings.ReplaceAll(oneType, "[email]", "[email, phone]"))
	require.Equal(t, []string{"changed form/submit before:true after:true", "deleted page/a/b %2F before:true after:false"}, outcomes(changes(0, "apply", "--prune", "-f", changed)))
}

// Nothing of a plan with a mistake is applied, and each mistake is reported with its place.
func TestAPlanIsAppliedWhollyOrNot(t *testing.T) {
	t.Parallel()
	w := newWorkbench(t)
	w.file(t, "plan/a.yaml", twoTypes)
	w.file(t, "plan/b.yaml", "category: a\nname: b\n---\ncategory: a\nname: c\nschema: {properties: {x: {type: strin}}}\n")
	for _, command := range []string{"apply", "diff", "preview"} {
		_, errOut := w.run(t, 65, command, "-f", filepath.Join(w.directory, "plan"))
		require.Contains(t, errOut, "plan/b.yaml (document 2): /schema/properties/x/type: ")
	}

	out, _ := w.run(t, 0, "list", "--json")
	require.JSONEq(t, `[]`, strings.ReplaceAll(out, "null", "[]"))
	require.Zero(t, w.audited(t))
}

// From events to a schema that is enforced: infer, preview, apply.
func TestInferPreviewApply(t *testing.T) {
	t.Parallel()
	w := newWorkbench(t)
	_, errOut := w.run(t, 1, "infer", "form", "submit")
	require.Contains(t, errOut, "no event of form/submit is stored")
	for i := range 30 {
		require.Equal(t, http.StatusCreated, w.post(t, fmt.Sprintf(`{"email": "u%d@example.com", "n": %d, "kind": "order"}`, i, i)))
	}

	for range 3 {
		require.Equal(t, http.StatusCreated, w.post(t, `{"email": "none"}`))
	}

	out, _ := w.run(t, 0, "infer", "form", "submit")
	require.Contains(t, out, "# Proposed from 33 stored events.")
	require.Contains(t, out, "  required: [email]\n")
	inferred := w.file(t, "inferred.yaml", out)
	out, _ = w.run(t, 0, "preview", "-f", inferred)
	require.Contains(t, out, "form/submit (observe): 33 stored events: 0 would newly fail, 0 fail already, 0 would newly match, 33 unaffected\n")
	w.run(t, 0, "apply", "-f", inferred)
	strict := strings.Replace(oneType, "name: submit\n", "name: submit\nmode: %s\n", 1)
	// A type in mode observe rejects nothing, so it may be rolled out.
	observed := w.file(t, "observed.yaml", fmt.Sprintf(strict, "observe"))
	out, _ = w.run(t, 0, "preview", "-f", observed)
	require.Contains(t, out, "33 stored events: 3 would newly fail")
	w.run(t, 0, "apply", "-f", observed)
	// A change from observe to enforce rejects events, though the schema is the same.
	enforced := w.file(t, "enforced.yaml", fmt.Sprintf(strict, "enforce"))
	out, errOut = w.run(t, 1, "preview", "-f", enforced)
	require.Contains(t, out, `3 × /data/email is "none"; expected the format email (event `)
	require.Contains(t, errOut, "3 stored events would newly fail; --max-failing allows 0")
	w.run(t, 0, "preview", "-f", enforced, "--max-failing", "3")
	var all []struct {
		Events map[string]int `json:"events"`
	}
	out, _ = w.run(t, 1, "preview", "-f", enforced, "--json")
	require.NoError(t, json.Unmarshal([]byte(out), &all))
	require.Equal(t, 3, all[0].Events["newly_failing"])
	w.run(t, 64, "preview", "-f", enforced, "--events", "0")
}

const oldTypes = `category: form
name: submit
schema:
  $schema: http://json-schema.org/draft-07/schema#
  type: object
  propertis: {}
  definitions:
    pair: {type: array, items: [{type: string}], additionalItems: false}
  properties:
    pair: {$ref: "#/definitions/pair", title: two, maxItems: 1}
`

// Schemas of draft-07 are converted on apply, or before it; parts without effect are reported.
func TestSchemasOfOlderDrafts(t *testing.T) {
	t.Parallel()
	w := newWorkbench(t)
	old := w.file(t, "old.yaml", oldTypes)
	_, errOut := w.run(t, 65, "apply", "-f", old)
	require.Contains(t, errOut, "old.yaml: /schema/definitions/pair/items: an array of items is prefixItems in 2020-12; convert it: theeye event-type convert --from draft-07")
	require.Contains(t, errOut, "old.yaml: /schema/properties/pair/maxItems: beside $ref it does nothing in draft-07")

	out, errOut := w.run(t, 0, "apply", "--from", "draft-07", "-f", old)
	require.Contains(t, out, "created form/submit")
	require.Contains(t, errOut, "warning: old.yaml: /schema/properties/pair/maxItems: beside $ref it did nothing and is left out\n")
	require.Contains(t, errOut, `warning: old.yaml: /schema/propertis: the keyword "propertis" is unknown and does nothing; did you mean properties?`)
	_, errOut = w.run(t, 0, "preview", "--from", "draft-07", "-f", old)
	require.Contains(t, errOut, "did you mean properties?")

	// The output can be applied unchanged, with the same result; a single schema is converted, too.
	out, errOut = w.run(t, 0, "convert", "--from", "draft-07", old)
	require.Contains(t, out, "$ref: \"#/$defs/pair\"")
	require.Contains(t, errOut, "is left out")
	out, _ = w.run(t, 0, "apply", "-f", w.file(t, "new.yaml", out))
	require.Contains(t, out, "1 unchanged")
	out, _ = w.run(t, 0, "convert", "--from", "draft-04", w.file(t, "schema.json", `{"id": "http://example.com/a#", "minimum": 1, "exclusiveMinimum": true}`))
	//nolint:testifylint // the order and the form are the promise
	require.Equal(t, `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "http://example.com/a",
  "exclusiveMinimum": 1
}
`, out)
	w.run(t, 64, "convert", "--from", "draft-99", old)
	w.run(t, 65, "convert", "--from", "2019-09", old)
	w.run(t, 65, "convert", w.file(t, "none.yaml", "[]"))
}
