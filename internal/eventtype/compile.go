package eventtype

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// The bounds of a schema.
const (
	// MaxSchemaBytes bounds the text of a schema.
	MaxSchemaBytes = 64 << 10
	// MaxSchemaDepth bounds the nesting of a schema; a level of data needs two levels.
	MaxSchemaDepth = 64
	// MaxSubschemas bounds the number of schemas inside a schema.
	MaxSubschemas = 2000
	// MaxPatternBytes bounds the text of a regular expression.
	MaxPatternBytes = 1000
	// maxPatternProgram bounds the size of a compiled expression: the time of a match
	// grows with the product of this size and the length of the text.
	maxPatternProgram = 1000
	// maxPatternPrograms bounds the total size of all expressions of a schema; each
	// counts twice, because the schema for schemas checks it too.
	maxPatternPrograms = 10_000
)

// baseURL is the nominal location of a schema. Nothing is ever fetched from it.
const baseURL = "https://the-eye.dev/event-type.json"

// Schema is a compiled schema. It is safe for concurrent use. The nil Schema accepts
// everything.
type Schema struct {
	root  *jsonschema.Schema
	marks marks
	// maxPrice is the highest cost of one value.
	maxPrice price
}

// CompileSchema compiles the text of a schema. It returns an Invalid fault whose
// pointers lead into the schema. An empty text returns the nil Schema.
func CompileSchema(text []byte) (*Schema, error) {
	if len(text) == 0 {
		return nil, nil //nolint:nilnil // the nil Schema is valid, see its comment
	}

	if trimmed := bytes.TrimLeft(text, " \t\r\n"); len(trimmed) > 0 && trimmed[0] != '{' {
		return nil, invalidSchema("", "a schema is a JSON object; {} accepts every payload, and so does none at all")
	}

	rules := event.Rules{Limits: event.Limits{EventBytes: MaxSchemaBytes, Depth: MaxSchemaDepth, NumberDigits: event.DefaultRules().NumberDigits}}
	if err := event.CheckObject(text, &rules); err != nil {
		return nil, invalidText(err)
	}

	text, err := acceptOlderDraft(text)
	if err != nil {
		return nil, err
	}

	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, invalidSchema("", "it is not JSON")
	}

	root, err := compileDocument(document)
	if err != nil {
		return nil, err
	}

	s := &Schema{root: root}
	g, err := newGraph(root)
	if err != nil {
		return nil, err
	}

	if s.maxPrice, err = g.checkCost(); err != nil {
		return nil, err
	}

	g.lookUpEnums()
	if s.marks, err = g.readMarks(); err != nil {
		return nil, err
	}

	return s, nil
}

func compileDocument(document any) (*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat() // the authors of "format": "email" expect it to be checked
	registerFormats(compiler)
	compiler.UseLoader(noLoader{})

	programs := 0
	sealed := false
	compiler.UseRegexpEngine(func(text string) (jsonschema.Regexp, error) {
		expression, size, err := compilePattern(text)
		if sealed { // one of many values of the format "regex" in payloads, on any goroutine
			return expression, err
		}

		if programs += size; err == nil && programs > maxPatternPrograms {
			err = errors.New("all expressions of the schema together would be too slow; use fewer, or smaller ones")
		}

		return expression, err
	})

	compiler.RegisterVocabulary(markVocabulary())
	compiler.AssertVocabs()
	if err := compiler.AddResource(baseURL, document); err != nil {
		return nil, explainCompileError(err)
	}

	root, err := compiler.Compile(baseURL)
	if err != nil {
		return nil, explainCompileError(err)
	}

	sealed = true
	return root, nil
}

// noLoader fetches nothing: neither files nor URLs.
type noLoader struct{}

var errNothingIsFetched = errors.New("nothing is fetched from outside; put what is needed under $defs")

// Load implements jsonschema.URLLoader.
func (noLoader) Load(string) (any, error) { return nil, errNothingIsFetched }

// compilePattern compiles a regular expression with Go's package, which matches in time
// linear in the text and in the size of the expression. It also returns that size.
func compilePattern(text string) (expression jsonschema.Regexp, size int, err error) {
	if len(text) > MaxPatternBytes {
		return nil, 0, fmt.Errorf("it has %d bytes; at most %d are allowed", len(text), MaxPatternBytes)
	}

	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, 0, err //nolint:wrapcheck // the caller explains it
	}

	if estimateProgram(parsed) > maxPatternProgram {
		return nil, 0, errTooSlow
	}

	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, 0, err //nolint:wrapcheck // as above
	}

	if len(program.Inst) > maxPatternProgram {
		return nil, 0, errTooSlow
	}

	found, err := regexp.Compile(text)
	return pattern{found, len(program.Inst)}, len(program.Inst), err
}

var errTooSlow = errors.New("it would be too slow; use fewer or smaller repetitions")

// estimateProgram returns a lower bound of the size of an expression's program.
// Compiling an expression only to find that it is too large can take longer than any
// other work that is bounded here.
func estimateProgram(e *syntax.Regexp) int {
	n := 0
	for _, inner := range e.Sub {
		n += estimateProgram(inner)
	}

	switch e.Op {
	case syntax.OpLiteral:
		n = len(e.Rune)
	case syntax.OpRepeat:
		n *= max(e.Min, e.Max)
	default:
	}

	return n
}

// pattern is a regular expression that knows the size of its program.
type pattern struct {
	*regexp.Regexp

	size int
}

// invalidSchema returns the fault of a schema that is invalid at a pointer.
func invalidSchema(pointer, detail string) error {
	return &fault.Error{
		Kind:   fault.Invalid,
		Code:   fault.CodeInvalidSchema,
		Detail: detail,
		Violations: []fault.Violation{{
			Pointer: "/schema" + pointer,
			Code:    fault.CodeInvalidSchema,
			Detail:  detail,
		}},
	}
}

// invalidText turns an error of the strict decoder into a fault of the schema's text.
func invalidText(err error) error {
	f, ok := fault.As(err)
	if !ok {
		return err
	}

	e := &fault.Error{Kind: fault.Invalid, Code: fault.CodeInvalidSchema, Detail: "the schema cannot be read: " + f.Detail}
	for _, v := range f.Violations {
		e.Violations = append(e.Violations, fault.Violation{Pointer: "/schema" + v.Pointer, Code: v.Code, Detail: v.Detail})
	}

	if len(e.Violations) == 0 {
		e.Violations = []fault.Violation{{Pointer: "/schema", Code: f.Code, Detail: f.Detail}}
	}

	return e
}

// explainCompileError turns an error of the compiler into a fault whose pointer leads
// into the schema.
func explainCompileError(err error) error {
	var (
		structure *jsonschema.SchemaValidationError
		pattern   *jsonschema.InvalidRegexError
		missing   *jsonschema.JSONPointerNotFoundError
		anchor    *jsonschema.AnchorNotFoundError
		load      *jsonschema.LoadURLError
		scheme    *jsonschema.UnsupportedURLSchemeError
		draft     *jsonschema.UnsupportedDraftError
		other     *jsonschema.MetaSchemaMismatchError
		meta      *jsonschema.InvalidMetaSchemaURLError
	)
	switch {
	case errors.As(err, &structure):
		return structureFault(structure)
	case errors.As(err, &pattern):
		return invalidSchema(pointerOf(pattern.URL), fmt.Sprintf("the regular expression %s cannot be used (RE2 syntax, as of Go): %s", quoteText(pattern.Regex), reasonOf(pattern.Err)))
	case errors.As(err, &missing):
		return invalidSchema("", "a $ref leads nowhere: "+quoteText(fragmentOf(missing.URL)))
	case errors.As(err, &anchor):
		return invalidSchema("", "a $ref leads to an anchor that is not there: "+quoteText(anchor.Reference))
	case errors.As(err, &load), errors.As(err, &scheme), errors.As(err, &meta):
		return invalidSchema("", "a $ref or $schema leads outside; "+errNothingIsFetched.Error())
	case errors.As(err, &draft), errors.As(err, &other):
		return invalidSchema("/$schema", unknownDraft)
	}

	return invalidSchema("", "it does not compile: "+reasonOf(err))
}

// unknownDraft is the detail for an unknown $schema.
const unknownDraft = "it does not name a known draft: 04, 06, 07, 2019-09 and 2020-12 are known; leave $schema out, or send " + schemaURL

// structureFault returns a fault with the places where a schema breaks the rules of
// JSON Schema.
func structureFault(err *jsonschema.SchemaValidationError) error {
	var invalid *jsonschema.ValidationError
	if !errors.As(err.Err, &invalid) {
		return invalidSchema("", "it is not a JSON Schema")
	}

	f := &fault.Error{Kind: fault.Invalid, Code: fault.CodeInvalidSchema, Detail: "it is not a JSON Schema of draft 2020-12"}
	for _, found := range flattenErrors(invalid, discloseAll) {
		detail := found.detail + describeOlderForm(found)
		f.Violations = append(f.Violations, fault.Violation{Pointer: "/schema" + found.pointer, Code: fault.CodeInvalidSchema, Detail: detail})
	}

	return f
}

// describeOlderForm returns a hint for converting a form that only older drafts allow.
func describeOlderForm(f mismatch) string {
	const hint = "; theeye event-type convert --from %s converts it"
	switch {
	case strings.HasSuffix(f.pointer, "/items") && strings.HasPrefix(f.detail, "is an array"):
		return "; an array of items is prefixItems in 2020-12" + fmt.Sprintf(hint, Draft7)
	case strings.HasSuffix(f.pointer, "/exclusiveMinimum") || strings.HasSuffix(f.pointer, "/exclusiveMaximum"):
		return "; it was a boolean in draft-04" + fmt.Sprintf(hint, Draft4)
	}

	return ""
}

// fragmentOf returns the part of a URL after the #.
func fragmentOf(location string) string {
	_, fragment, _ := strings.Cut(location, "#")
	return "#" + fragment
}

// pointerOf returns the JSON Pointer of a location in a schema.
func pointerOf(location string) string {
	_, pointer, _ := strings.Cut(location, "#")
	return unescapeFragment(pointer)
}

// reasonOf returns the text of an error without its location.
func reasonOf(err error) string {
	if err == nil {
		return "it is not valid"
	}

	return strings.ReplaceAll(err.Error(), baseURL, "")
}
