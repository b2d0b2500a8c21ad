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

// Unregistered is the policy for events of unregistered types.
type Unregistered string

// The policies.
const (
	Accept Unregistered = "accept"
	Reject Unregistered = "reject"
)

// compiledType is a registered type that is ready to validate events.
type compiledType struct {
	Type

	schema *Schema
	// unusable means that the schema has marks and does not compile.
	unusable bool
}

// unusableRetry is how long senders wait before a retry, for an operator has to fix the
// type first.
const unusableRetry = time.Minute

// CheckPayload validates a payload, the text of a JSON object, against the schema.
// redacted means that the marks were applied to it before. It returns the violations,
// 20 at most.
func (s *Schema) CheckPayload(data []byte, redacted bool) ([]fault.Violation, error) {
	if s == nil {
		return nil, nil
	}

	payload, err := decodePayload(data)
	if err != nil {
		return nil, err
	}

	return s.checkDecoded(payload, redacted), nil
}

func (s *Schema) checkDecoded(payload map[string]any, redacted bool) []fault.Violation {
	if detail := s.tooCostly(measurePayload(payload)); detail != "" {
		return []fault.Violation{{Pointer: "/data", Code: fault.CodeSchemaViolation, Detail: detail}}
	}

	err := s.root.Validate(payload)
	var invalid *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		if redacted {
			invalid = s.marks.ignoreRedacted(invalid)
		}

		if invalid == nil {
			return nil
		}

		return listViolations(invalid, s.marks.disclosures())
	}

	return []fault.Violation{{Pointer: "/data", Code: fault.CodeSchemaViolation, Detail: "the payload cannot be validated against the schema"}}
}

// tooCostly returns the reason why a payload of a size is not validated against the
// schema; "" if it can be.
func (s *Schema) tooCostly(n payloadSize) string {
	switch {
	case n.values*s.maxPrice.steps > MaxPayloadEvaluations:
		return fmt.Sprintf("/data holds %d values, each of which may need %d schema checks or as much work; at most %d are allowed for a payload: send less, or simplify the schema",
			n.values, s.maxPrice.steps, MaxPayloadEvaluations)
	case n.characters*s.maxPrice.match > MaxPayloadMatching:
		return fmt.Sprintf("/data holds texts of %d bytes, each of which may have to match regular expressions of %d instructions; their product may be at most %d: send less, or simplify the expressions",
			n.characters, s.maxPrice.match, MaxPayloadMatching)
	}

	return ""
}

// validateEvent validates one event against its type and applies the marks.
func (v *view) validateEvent(e *event.Envelope, redacted bool) error {
	if e.Unchanged { // it is already stored as it is, and its text is not stored a second time, whatever the verdict
		e.Withheld = true
		return nil
	}

	if !isUnambiguous(e) {
		v.withholdText(e)
		return nil
	}

	t := v.types[Key{e.Event.Category, e.Event.Name}]
	switch {
	case t == nil && v.unregistered == Reject && e.Accepted():
		rejectUnregistered(e)
		return nil
	case t == nil:
		return nil
	}

	if t.unusable {
		return fault.NewUnavailable(nil, fault.CodeUnavailable, "this release cannot use the schema of this event type, and values that it marks must not be stored; an operator has to fix it", unusableRetry)
	}

	if e.Accepted() {
		e.TypeVersion = t.Version
	}

	if t.schema == nil || (!e.Accepted() && !t.schema.marks.hasMarks()) {
		return nil
	}

	payload, err := decodePayload(e.Event.Data)
	if err != nil {
		return err
	}

	found := t.schema.checkDecoded(payload, redacted) // also for a rejected event: a payload that fits its schema is stored with the schema's marks applied
	switch {
	case !e.Accepted():
	case t.Mode == Enforce:
		e.Violations = append(e.Violations, found...)
	default:
		e.Observed = found
	}

	if t.schema.marks.hasMarks() {
		return v.redactEvent(e, t, payload, len(found) == 0)
	}

	return nil
}

func rejectUnregistered(e *event.Envelope) {
	e.Reject(fault.CodeUnknownEventType, "/name", "this category and name are not registered; check the spelling, or register the event type")
}

// isUnambiguous reports whether the text of an event holds only that event, so that its
// type and all values that its marks apply to are known.
func isUnambiguous(e *event.Envelope) bool {
	const needed = event.FieldCategory | event.FieldName | event.FieldData
	return e.Known&needed == needed && !slices.ContainsFunc(e.Violations, func(v fault.Violation) bool { return !keepsTextUnambiguous(v.Code) })
}

// keepsTextUnambiguous reports whether an event that is rejected with this code can
// still be read to its end and in only one way.
func keepsTextUnambiguous(code fault.Code) bool {
	switch code {
	case fault.CodeMissingField, fault.CodeInvalidUUID, fault.CodeNilUUID, fault.CodeInvalidLength, fault.CodeInvalidTimestamp,
		fault.CodeTimestampInFuture, fault.CodeTimestampTooOld, fault.CodeEventIDImmutable, fault.CodeReadOnlyField, fault.CodeImportUnsupported:
		return true
	}

	return false
}

// redactEvent replaces the payload as sent by the payload that may be stored. fits
// reports whether the payload fits the schema.
func (v *view) redactEvent(e *event.Envelope, t *compiledType, payload map[string]any, fits bool) error {
	if fits {
		t.schema.marks.redactPayload(payload, v.hashKey)
	} else {
		t.schema.marks.newLooseRedactor(v.hashKey).redactPayload(payload)
	}

	data, err := encodeJSON(payload)
	if err != nil {
		return err
	}

	end := e.DataAt + len(e.Event.Data)
	if end > len(e.Raw) || !bytes.Equal(e.Raw[e.DataAt:end], e.Event.Data) {
		e.Withheld = true // the payload is not from this text
	} else {
		e.Raw = bytes.Join([][]byte{e.Raw[:e.DataAt], data, e.Raw[end:]}, nil)
	}

	e.Event.Data = data
	return nil
}

// withholdText withholds the text of a rejected event if it may belong to a type with
// marks, because marks cannot be applied to a text that cannot be read.
func (v *view) withholdText(e *event.Envelope) {
	ambiguous := hasAmbiguousType(e)
	for _, t := range v.marked {
		if ambiguous || (!e.Has(event.FieldCategory) || e.Event.Category == t.Category) && (!e.Has(event.FieldName) || e.Event.Name == t.Name) {
			e.Withheld = true
			return
		}
	}
}

// hasAmbiguousType reports whether a rejected text may hold an event of another type
// than the one that was read: a category or a name that was sent twice does not
// identify the type, nor does one that another may follow which was not read, or not
// reported: of an event that is too large, no member is reported as sent twice.
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
			return false // it was still read to its end
		}

		return !keepsTextUnambiguous(v.Code)
	})
}
