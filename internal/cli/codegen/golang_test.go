package codegen_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/cli/codegen"
	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// clientFolder is the module that generated Go imports.
const clientFolder = "../../../client"

// checker type-checks generated code, with the client of this repository.
type checker struct {
	files  *token.FileSet
	others types.Importer
}

func newChecker(t testing.TB) *checker {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", ".", "encoding/json", "errors", "fmt", "time")
	list.Dir = clientFolder
	list.Env = append(list.Environ(), "GOWORK=off")
	output, err := list.Output()
	require.NoError(t, err)

	built := map[string]string{}
	for line := range strings.Lines(string(output)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		built[path] = file
	}

	c := &checker{files: token.NewFileSet()}
	c.others = importer.ForCompiler(c.files, "gc", func(path string) (io.ReadCloser, error) { return os.Open(built[path]) })
	return c
}

// check parses and type-checks the files of a package.
func (c *checker) check(texts ...string) error {
	files := make([]*ast.File, len(texts))
	for i, text := range texts {
		file, err := parser.ParseFile(c.files, fmt.Sprintf("events/%d.go", i), text, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return err
		}

		files[i] = file
	}

	config := types.Config{Importer: c.others, GoVersion: "go1.25"}
	_, err := config.Check("events", c.files, files, nil)

	return err
}

// A payload that does not fit its schema does not compile, and one that fits does.
func TestGoRejectsWrongPayloads(t *testing.T) {
	t.Parallel()
	code := generate(t, readPlan(t), codegen.Go)
	c := newChecker(t)
	for _, one := range []struct{ call, says string }{
		{`PageView("s", at, PageViewData{URL: "/"})`, ""},
		{`PageView("s", at, PageViewData{URL: "/", UserID: &id, LoadedAt: &at})`, ""},
		{`PageView("s", at, PageViewData{URL: 7})`, `cannot use 7 (untyped int constant) as string value`},
		{`PageView("s", at, PageViewData{Ulr: "/"})`, `unknown field Ulr`},
		{`PageView("s", at, FormSubmitData{})`, `cannot use FormSubmitData{} (value of struct type FormSubmitData) as PageViewData value`},
		{`PageView("s", PageViewData{URL: "/"})`, `not enough arguments`},
		{`PageView("s", at, PageViewData{URL: "/", LoadedAt: "yesterday"})`, `as *time.Time value`},
		{`FormSubmit("s", at, FormSubmitData{Kind: FormSubmitKindOrder, Fields: []FormSubmitFieldsItem{{Name: "a"}}})`, ""},
		{`FormSubmit("s", at, FormSubmitData{Kind: "order"})`, `cannot use "order" (untyped string constant) as FormSubmitKind value`},
		{`OrderPlaced("s", at, OrderPlacedData{Labels: map[string]string{"a": "b"}})`, ""},
		{`OrderPlaced("s", at, OrderPlacedData{Labels: map[string]int{"a": 1}})`, `as map[string]string value`},
		{`PageScroll("s", at, nil)`, `undefined: PageScroll`},
	} {
		err := c.check(code, "package events\n\nimport \"time\"\n\nvar at time.Time\nvar id int64\nvar _, _ = "+one.call+"\n")
		if one.says == "" {
			require.NoError(t, err, one.call)
			continue
		}

		require.ErrorContains(t, err, one.says, one.call)
	}
}

// Whatever is registered, the code compiles.
func TestGoOfHostileTypesCompiles(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	code := generate(t, hostileTypes(), codegen.Go)
	err := c.check(code)
	require.NoError(t, err)
	require.NotContains(t, code, "\u202e")
}

// senderCode makes an event of each type of the plan, and one of each kind of mistake that only
// shows when it runs.
const senderCode = `package main

import (
	"fmt"
	"time"

	"example.test/sender/events"
	"github.com/the-eye-events/the-eye/client"
)

func main() {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	text := "x"
	euro := events.OrderPlacedMoneyCurrencyEUR
	address := events.OrderPlacedAddress{City: "Rome", Additional: map[string]any{"floor": 3}}

	show(events.PageView("s", at, events.PageViewData{URL: "https://shop.test/", LoadedAt: &at, Referrer: &text}))
	show(events.PageFree("s", at, nil))
	show(events.PageFree("s", at, events.PageFreeData{"any": true}))
	show(events.FormSubmit("s", at, events.FormSubmitData{
		Kind: events.FormSubmitKindSignUp,
		Version: events.FormSubmitVersion2,
		Score: 1.5,
		Fields: []events.FormSubmitFieldsItem{{Name: "email"}},
	}))
	show(events.OrderPlaced("s", at, events.OrderPlacedData{
		Address: address,
		Billing: &address,
		Lines: []events.OrderPlacedLine{{Sku: "a", Parts: []events.OrderPlacedLine{}}},
		Total: events.OrderPlacedMoney{Amount: 1, Currency: &euro},
		Point: []float64{1, 2},
		Card: &text,
	}))
	show(events.OrderPlaced("s", at, events.OrderPlacedData{Lines: []events.OrderPlacedLine{}, Iban: &text}))
	show(events.VideoProgress("s", at, events.VideoProgressData{ID: "v", Second: 3}))
	show(events.FormSubmit("s", at, events.FormSubmitData{Fields: []events.FormSubmitFieldsItem{}}))
	show(events.FormSubmit("s", at, events.FormSubmitData{Kind: 9, Fields: []events.FormSubmitFieldsItem{}}))
	show(events.FormSubmit("s", at, events.FormSubmitData{Kind: events.FormSubmitKindOrder}))
}

func show(e client.Event, err error) {
	fmt.Printf("%s\t%s\t%s\t%v\n", e.Category, e.Name, e.Data, err)
}
`

// A payload that generated Go makes fits the schema of its type; a member that is missing is an
// error before anything is sent.
func TestGoPayloadsFitTheirSchemas(t *testing.T) {
	t.Parallel()
	types := readPlan(t)
	schemas := map[string]*eventtype.Schema{}
	for i := range types {
		schema, err := eventtype.CompileSchema(types[i].Schema)
		require.NoError(t, err)
		schemas[types[i].Category+"/"+types[i].Name] = schema
	}

	tried := map[string]bool{}
	var failed []string
	for line := range strings.Lines(runSender(t, generate(t, types, codegen.Go))) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 4)
		if parts[3] != "<nil>" {
			failed = append(failed, parts[3])
			continue
		}

		violations, err := schemas[parts[0]+"/"+parts[1]].CheckPayload([]byte(parts[2]), false)
		require.NoError(t, err)
		require.Empty(t, violations, line)
		tried[parts[0]+"/"+parts[1]] = true
	}

	require.Len(t, tried, len(types), "a type of the plan was not tried")
	require.Equal(t, []string{
		"event form/submit: json: error calling MarshalJSON for type events.FormSubmitData: json: error calling MarshalJSON for type events.FormSubmitKind: FormSubmitKind is not set",
		"event form/submit: json: error calling MarshalJSON for type events.FormSubmitData: json: error calling MarshalJSON for type events.FormSubmitKind: FormSubmitKind is not set",
		"event form/submit: json: error calling MarshalJSON for type events.FormSubmitData: Fields is required",
	}, failed)
}

// runSender builds, vets and runs the program above with generated code, and returns its output.
func runSender(t *testing.T, code string) string {
	t.Helper()
	place := t.TempDir()
	client, err := filepath.Abs(clientFolder)
	require.NoError(t, err)
	for name, text := range map[string]string{
		"go.mod":           "module example.test/sender\n\ngo 1.25.0\n\nrequire github.com/the-eye-events/the-eye/client v0.0.0\n\nreplace github.com/the-eye-events/the-eye/client => " + client + "\n",
		"main.go":          senderCode,
		"events/events.go": code,
	} {
		file := filepath.Join(place, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}

	var output string
	for _, arguments := range [][]string{{"vet", "./..."}, {"run", "."}} {
		command := exec.CommandContext(t.Context(), "go", arguments...)
		command.Dir = place
		command.Env = append(command.Environ(), "GOWORK=off")
		text, err := command.CombinedOutput()
		require.NoError(t, err, "go %v: %s", arguments, text)
		output = string(text)
	}

	return output
}

// FuzzGenerate generates code of any schema that the registry takes, under any name: it compiles.
func FuzzGenerate(f *testing.F) {
	for i, schema := range hostileSchemas() {
		text := hostileTexts()[i+1]
		f.Add(schema, text, "view", text)
	}

	for _, one := range hostileTypes() {
		f.Add(string(one.Schema), one.Category, one.Name, one.Description)
	}

	f.Add(string(readPlan(f)[1].Schema), "order", "placed", "")
	c := newChecker(f)
	f.Fuzz(func(t *testing.T, schema, category, name, description string) {
		one := eventtype.Type{
			Key:  eventtype.Key{Category: category, Name: name},
			Spec: eventtype.Spec{Schema: json.RawMessage(schema), Description: description},
		}
		if _, _, err := one.Validate(); err != nil || one.CheckNames() != nil {
			return // the registry does not take it
		}

		err := c.check(generate(t, []eventtype.Type{one}, codegen.Go))
		require.NoError(t, err)
		generate(t, []eventtype.Type{one}, codegen.TypeScript)
	})
}
