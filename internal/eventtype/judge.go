package eventtype

import (
	"bytes"
	"errors"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Unregistered says what becomes of events whose type nobody registered.
type Unregistered string

// The policies.
const (
	Accept Unregistered = "accept"
	Reject Unregistered = "reject"
)

// compiled is a registered type that is ready to judge.
type compiled struct {
	Type

	schema *Schema
}

// Check holds a payload, the text of a JSON object, against the schema. kept tells that
// the marks were applied to it before. It returns what is wrong, 20 findings at most.
func (s *Schema) Check(data []byte, kept bool) ([]fault.Violation, error) {
	if s == nil {
		return nil, nil
	}
	payload, err := decode(data)
	if err != nil {
		return nil, err
	}
	return s.check(payload, kept), nil
}

func (s *Schema) check(payload map[string]any, kept bool) []fault.Violation {
	err := s.root.Validate(payload)
	var invalid *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		if kept {
			invalid = s.marks.excuse(invalid)
		}
		if invalid == nil {
			return nil
		}
		return violations(invalid, s.marks.hidden)
	}
	return []fault.Violation{{Pointer: "/data", Code: fault.CodeSchemaViolation, Detail: "the payload cannot be held against the schema"}}
}

// judge holds one event against its type and applies the marks.
func (v *view) judge(e *event.Envelope, kept bool) error {
	const needed = event.FieldCategory | event.FieldName | event.FieldData
	if e.Known&needed != needed {
		v.withhold(e)
		return nil
	}
	t := v.types[Key{e.Event.Category, e.Event.Name}]
	switch {
	case t == nil && v.unregistered == Reject && e.Accepted():
		e.Refuse(fault.CodeUnknownEventType, "/name", "this category and name are not registered; check the spelling, or register the event type")
		return nil
	case t == nil:
		return nil
	}
	e.TypeVersion = t.Version
	if t.schema == nil || (!e.Accepted() && !t.schema.marks.any()) {
		return nil
	}
	payload, err := decode(e.Event.Data)
	if err != nil {
		return err
	}
	if e.Accepted() {
		if found := t.schema.check(payload, kept); t.Mode == Enforce {
			e.Violations = append(e.Violations, found...)
		} else {
			e.Observed = found
		}
	}
	if t.schema.marks.any() {
		return v.protect(e, t, payload)
	}
	return nil
}

// protect puts what may be kept into the place of what was sent.
func (v *view) protect(e *event.Envelope, t *compiled, payload map[string]any) error {
	t.schema.marks.protect(payload, v.hashKey)
	data, err := render(payload)
	if err != nil {
		return err
	}
	at := cap(e.Raw) - cap(e.Event.Data) // the payload is a part of the text, and both end with the body
	end := at + len(e.Event.Data)
	if at < 0 || end > len(e.Raw) || !bytes.Equal(e.Raw[at:end], e.Event.Data) {
		e.Withheld = true
	} else {
		e.Raw = bytes.Join([][]byte{e.Raw[:at], data, e.Raw[end:]}, nil)
	}
	e.Event.Data = data
	return nil
}

// withhold keeps the text of a refused event to ourselves if it may belong to a type
// with marks, which cannot be applied to what cannot be read.
func (v *view) withhold(e *event.Envelope) {
	for _, t := range v.marked {
		if (!e.Has(event.FieldCategory) || e.Event.Category == t.Category) && (!e.Has(event.FieldName) || e.Event.Name == t.Name) {
			e.Withheld = true
			return
		}
	}
}
