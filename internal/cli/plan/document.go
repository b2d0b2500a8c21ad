package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// ErrInvalid means that files do not hold a valid plan. The error's text has a line for each
// problem, with the file, the document and the pointer into it.
var ErrInvalid = errors.New("the event types cannot be used")

// Document is an event type as a file describes it.
type Document struct {
	eventtype.Key
	eventtype.Spec

	// File and Number say where the document is; 1 is the first document of a file.
	File   string
	Number int
	// Dropped are the parts that had no effect in the draft from which the schema was converted.
	Dropped []eventtype.Warning
}

// Notes has a line for each part of the schema that has no effect or was left out.
func (d *Document) Notes() []string {
	var notes []string
	for _, w := range append(d.Dropped, d.Warnings()...) {
		notes = append(notes, d.location()+": "+w.String())
	}

	return notes
}

func (d *Document) location() string {
	if d.Number == 1 {
		return d.File
	}

	return fmt.Sprintf("%s (document %d)", d.File, d.Number)
}

// Plan holds the event types of files, in the order of their keys. Each is valid, and no
// two have the same key.
type Plan []Document

// Changes returns the changes that make the registry match the plan.
func (p Plan) Changes() []eventtype.Change {
	changes := make([]eventtype.Change, len(p))
	for i := range p {
		changes[i] = eventtype.Change{Key: p[i].Key, Spec: &p[i].Spec}
	}

	return changes
}

// maxDocumentOverhead bounds the part of a document around its schema, in bytes.
const maxDocumentOverhead = 16 << 10

// parseDocument parses the JSON text of a document, whose schema is of the draft from. It
// returns a line for each problem.
func parseDocument(d *Document, text []byte, from eventtype.Draft) []string {
	rules := event.DefaultRules()
	rules.EventBytes = eventtype.MaxSchemaBytes + maxDocumentOverhead
	rules.Depth = eventtype.MaxSchemaDepth + 1
	if err := event.CheckObject(text, &rules); err != nil {
		return d.describeFault(err)
	}

	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return []string{d.location() + ": it is not an object"}
	}

	var wrong []string
	read := func(name string, into any, expected string) {
		text, found := members[name]
		delete(members, name)
		if found && json.Unmarshal(text, into) != nil {
			wrong = append(wrong, fmt.Sprintf("%s: /%s: expected %s", d.location(), name, expected))
		}
	}
	read("category", &d.Category, "a string")
	read("name", &d.Name, "a string")
	read("mode", &d.Mode, "enforce or observe")
	read("description", &d.Description, "a string")
	read("schema", &d.Schema, "a JSON Schema")
	for name := range members {
		wrong = append(wrong, fmt.Sprintf("%s: %s is unknown; a document has category, name, mode, description and schema", d.location(), memberPointer(name)))
	}

	if len(wrong) > 0 {
		slices.Sort(wrong)
		return wrong
	}

	if err := d.CheckNames(); err != nil {
		return d.describeFault(err)
	}

	if err := d.convertSchema(from); err != nil {
		return d.describeFault(err)
	}

	spec, _, err := d.Validate()
	if err != nil {
		return d.describeFault(err)
	}

	d.Spec = spec
	return nil
}

// convertSchema converts the schema to 2020-12.
func (d *Document) convertSchema(from eventtype.Draft) error {
	if len(d.Schema) == 0 || string(d.Schema) == "null" {
		return nil
	}

	converted, dropped, err := eventtype.ConvertSchema(d.Schema, from)
	if err != nil {
		return err
	}

	d.Schema = converted
	d.Dropped = dropped
	return nil
}

// describeFault returns a line for each violation of a fault, with its location.
func (d *Document) describeFault(err error) []string {
	f, ok := fault.As(err)
	if !ok || len(f.Violations) == 0 {
		return []string{d.location() + ": " + err.Error()}
	}

	lines := make([]string, len(f.Violations))
	for i, v := range f.Violations {
		at := v.Pointer
		if at != "" {
			at += ": "
		}

		lines[i] = d.location() + ": " + at + v.Detail
	}

	return lines
}

// combineDocuments makes a plan of valid documents, and reports types that are described
// twice.
func combineDocuments(documents []Document) (Plan, []string) {
	slices.SortStableFunc(documents, func(a, b Document) int { return a.Compare(b.Key) })
	var wrong []string
	for i := 1; i < len(documents); i++ {
		if a, b := &documents[i-1], &documents[i]; a.Key == b.Key {
			wrong = append(wrong, fmt.Sprintf("%s: %s is already described in %s", b.location(), b.Path(), a.location()))
		}
	}

	return documents, wrong
}

// memberPointer writes the JSON Pointer to a member.
func memberPointer(name string) string {
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
