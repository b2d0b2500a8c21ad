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
	// MaxSchemaDepth bounds its nesting; a level of data takes two.
	MaxSchemaDepth = 64
	// MaxSubschemas bounds the schemas inside of it.
	MaxSubschemas = 2000
	// MaxPatternBytes bounds the text of a regular expression.
	MaxPatternBytes = 1000
	// maxPatternProgram bounds a compiled expression: a match takes time with the
	// product of its size and the text's, linear as it is.
	maxPatternProgram = 1000
	// maxPatternPrograms bounds all of a schema together; each counts twice, once as what
	// the schema for schemas checks.
	maxPatternPrograms = 10_000
)

// baseURL is where a schema is said to be. Nothing is ever fetched from there.
const baseURL = "https://the-eye.dev/event-type.json"

// Schema is a compiled schema. It is safe for concurrent use. The nil Schema accepts
// everything.
type Schema struct {
	root  *jsonschema.Schema
	marks marks
	// maxPrice is the most that one value may cost.
	maxPrice price
}

// CompileSchema compiles the text of a schema. It returns an Invalid fault whose pointers
// lead into the schema. No text gives the nil Schema.
func CompileSchema(text []byte) (*Schema, error) {
	if len(text) == 0 {
		return nil, nil //nolint:nilnil // it is a Schema, see there
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
	compiler.AssertFormat() // who writes "format": "email" means it
	registerFormats(compiler)
	compiler.UseLoader(noLoader{})
	programs, sealed := 0, false
	compiler.UseRegexpEngine(func(text string) (jsonschema.Regexp, error) {
		expression, size, err := compilePattern(text)
		if sealed { // a payload's value of the format "regex", of many, and on any goroutine
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

// compilePattern compiles a regular expression of Go, which takes time linear in the
// text and in its own size, which it returns, too.
func compilePattern(text string) (expression jsonschema.Regexp, size int, err error) {
	if len(text) > MaxPatternBytes {
		return nil, 0, fmt.Errorf("it has %d bytes; at most %d are allowed", len(text), MaxPatternBytes)
	}

	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, 0, err //nolint:wrapcheck // it is explained by the caller
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

// estimateProgram is not more than the size of an expression's program. To compile one only to
// see that it is too large can take longer than everything else that is bounded here.
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

// invalidSchema is the fault of a schema that is wrong at a pointer.
func invalidSchema(pointer, detail string) error {
	return &fault.Error{
		Kind: fault.Invalid, Code: fault.CodeInvalidSchema, Detail: detail,
		Violations: []fault.Violation{{Pointer: "/schema" + pointer, Code: fault.CodeInvalidSchema, Detail: detail}},
	}
}

// invalidText turns what the strict decoder has to say about the text of a schema.
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

// explainCompileError turns an error of the compiler into a fault that leads into the schema.
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

// unknownDraft says what a $schema may be.
const unknownDraft = "it names no draft that is known: 04, 06, 07, 2019-09 and 2020-12 are; leave $schema out, or send " + schemaURL

// structureFault says where a schema breaks the rules of JSON Schema.
func structureFault(err *jsonschema.SchemaValidationError) error {
	var invalid *jsonschema.ValidationError
	if !errors.As(err.Err, &invalid) {
		return invalidSchema("", "it is no JSON Schema")
	}

	f := &fault.Error{Kind: fault.Invalid, Code: fault.CodeInvalidSchema, Detail: "it is no JSON Schema of draft 2020-12"}
	for _, found := range flattenErrors(invalid, discloseAll) {
		detail := found.detail + describeOlderForm(found)
		f.Violations = append(f.Violations, fault.Violation{Pointer: "/schema" + found.pointer, Code: fault.CodeInvalidSchema, Detail: detail})
	}

	return f
}

// describeOlderForm says how to convert what older drafts allowed.
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

// fragmentOf returns what stands behind the # of a URL.
func fragmentOf(location string) string {
	_, fragment, _ := strings.Cut(location, "#")
	return "#" + fragment
}

// pointerOf returns the JSON Pointer of a location in a schema.
func pointerOf(location string) string {
	_, pointer, _ := strings.Cut(location, "#")
	return unescapeFragment(pointer)
}

// reasonOf is an error's text without the place that it was said to be at.
func reasonOf(err error) string {
	if err == nil {
		return "it is not valid"
	}

	return strings.ReplaceAll(err.Error(), baseURL, "")
}
