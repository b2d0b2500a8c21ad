package eventtype

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

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
	// unusable tells that the schema has marks and does not compile.
	unusable bool
}

// unusableRetry is when it is worth asking again whether an operator was there.
const unusableRetry = time.Minute

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
	if detail := s.tooCostly(sizeOf(payload)); detail != "" {
		return []fault.Violation{{Pointer: "/data", Code: fault.CodeSchemaViolation, Detail: detail}}
	}
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
		return violations(invalid, s.marks.concealer())
	}
	return []fault.Violation{{Pointer: "/data", Code: fault.CodeSchemaViolation, Detail: "the payload cannot be held against the schema"}}
}

// tooCostly says why a payload of a size is not held against the schema; "" is no reason.
func (s *Schema) tooCostly(n size) string {
	switch {
	case n.values*s.widest.steps > MaxPayloadEvaluations:
		return fmt.Sprintf("/data holds %d values, each of which may have to be held against %d schemas, or as much; at most %d such steps are made: send less, or simplify the schema",
			n.values, s.widest.steps, MaxPayloadEvaluations)
	case n.characters*s.widest.match > MaxPayloadMatching:
		return fmt.Sprintf("/data holds texts of %d bytes, each of which may have to be held against regular expressions of %d instructions; at most %d such steps are made: send less, or simplify the expressions",
			n.characters, s.widest.match, MaxPayloadMatching)
	}
	return ""
}

// judge holds one event against its type and applies the marks.
func (v *view) judge(e *event.Envelope, kept bool) error {
	if e.Unchanged { // it is stored as it is, and its text is not kept a second time, whatever becomes of it
		e.Withheld = true
		return nil
	}
	if !whole(e) {
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
	if t.unusable {
		return fault.Busy(nil, fault.CodeUnavailable, "the schema of this event type cannot be used by this release, and what it marks must not be kept; an operator has to mend it", unusableRetry)
	}
	if e.Accepted() {
		e.TypeVersion = t.Version
	}
	if t.schema == nil || (!e.Accepted() && !t.schema.marks.any()) {
		return nil
	}
	payload, err := decode(e.Event.Data)
	if err != nil {
		return err
	}
	found := t.schema.check(payload, kept) // of a refused event, too: what fits its schema is kept as that says
	switch {
	case !e.Accepted():
	case t.Mode == Enforce:
		e.Violations = append(e.Violations, found...)
	default:
		e.Observed = found
	}

	if t.schema.marks.any() {
		return v.protect(e, t, payload, len(found) == 0)
	}
	return nil
}

// whole tells whether the text of an event holds that event and nothing else, so that
// its type is known, and all that its marks apply to.
func whole(e *event.Envelope) bool {
	const needed = event.FieldCategory | event.FieldName | event.FieldData
	return e.Known&needed == needed && !slices.ContainsFunc(e.Violations, func(v fault.Violation) bool { return !harmless(v.Code) })
}

// harmless tells whether an event that is refused for a reason can be read all the same,
// to its end and in one way.
func harmless(code fault.Code) bool {
	switch code {
	case fault.CodeMissingField, fault.CodeInvalidUUID, fault.CodeNilUUID, fault.CodeInvalidLength, fault.CodeInvalidTimestamp,
		fault.CodeTimestampInFuture, fault.CodeTimestampTooOld, fault.CodeEventIDImmutable, fault.CodeReadOnlyField, fault.CodeImportUnsupported:
		return true
	}
	return false
}

// protect puts what may be kept into the place of what was sent. fits tells whether the
// payload fits the schema.
func (v *view) protect(e *event.Envelope, t *compiled, payload map[string]any, fits bool) error {
	if fits {
		t.schema.marks.protect(payload, v.hashKey)
	} else {
		t.schema.marks.loosely(v.hashKey).protect(payload)
	}

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
	ambiguous := hasAmbiguousType(e)
	for _, t := range v.marked {
		if ambiguous || (!e.Has(event.FieldCategory) || e.Event.Category == t.Category) && (!e.Has(event.FieldName) || e.Event.Name == t.Name) {
			e.Withheld = true
			return
		}
	}
}

// hasAmbiguousType tells whether a refused text may hold an event of another type than the one
// that was read: a category or a name that was sent twice tells nothing, nor does one
// behind which another may stand that was not read, or not reported: of an event that is
// too large, no member is reported as sent twice.
func hasAmbiguousType(e *event.Envelope) bool {
	if len(e.Violations) >= event.MaxViolations {
		return true
	}
	return slices.ContainsFunc(e.Violations, func(v fault.Violation) bool {
		switch v.Code {
		case fault.CodeDuplicateMember:
			return v.Pointer == "/category" || v.Pointer == "/name"
		case fault.CodeUnknownField, fault.CodeInvalidType, fault.CodeInvalidUTF8, fault.CodeLoneSurrogate, fault.CodeNULCharacter,
			fault.CodeNumberOutOfRange, fault.CodeTooDeep, fault.CodeUnknownEventType:
			return false // it was read to its end all the same
		}
		return !harmless(v.Code)
	})
}
