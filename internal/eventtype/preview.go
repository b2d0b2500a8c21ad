package eventtype

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// The bounds of a preview.
const (
	DefaultSample = 10_000
	MaxSample     = 100_000
	// maxShownViolations is how many violations are shown.
	maxShownViolations = 5
	// maxKinds bounds how many kinds of violations are distinguished.
	maxKinds = 1000
	// sampleBytes bounds the payload that is shown with a violation.
	sampleBytes = 2 << 10
)

// Preview is the effect that a candidate for a schema would have.
type Preview struct {
	Events     EventPreview     `json:"events"`
	Rejections RejectionPreview `json:"errors"`
	// Violations are the most frequent violations among the stored events, most
	// frequent first.
	Violations []ViolationPreview `json:"violations"`
	// Warnings are the parts of the candidate that have no effect.
	Warnings []Warning `json:"warnings"`
	// Complete is false when the time ran out before the whole sample was examined.
	Complete bool `json:"complete"`
}

// EventPreview counts stored events.
type EventPreview struct {
	Examined int `json:"examined"`
	// NewlyFailing events fit the present type, and would not fit the candidate.
	NewlyFailing int `json:"newly_failing"`
	// StillFailing events fit neither.
	StillFailing int `json:"still_failing"`
	// NewlyPassing events fit only the candidate.
	NewlyPassing int `json:"newly_passing"`
	// Unaffected events fit both.
	Unaffected int `json:"unaffected"`
}

// RejectionPreview counts open rejections by the type's schema.
type RejectionPreview struct {
	Examined     int `json:"examined"`
	NewlyPassing int `json:"newly_passing"`
	StillFailing int `json:"still_failing"`
}

// ViolationPreview is one kind of violation.
type ViolationPreview struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
	Count   int    `json:"count"`
	// EventID and Data belong to one event with this violation; Data is left out if it
	// is large, and values marked by the present type or by the candidate are removed
	// from it.
	EventID uuid.UUID       `json:"event_id"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Previewer shows the effect of a change of a schema. At most one preview runs at a
// time, on one connection, so that previews do not slow other queries down.
type Previewer struct {
	store   SampleStore
	types   Store
	turn    chan struct{}
	timeout time.Duration
	rules   *event.Rules
	now     func() time.Time
}

// NewPreviewer makes a previewer whose previews end after timeout with the results so
// far.
func NewPreviewer(store SampleStore, types Store, rules *event.Rules, timeout time.Duration, now func() time.Time) *Previewer {
	return &Previewer{
		store:   store,
		types:   types,
		turn:    make(chan struct{}, 1),
		timeout: timeout,
		rules:   rules,
		now:     now,
	}
}

// PreviewChange validates the last stored events of a type, sample at most, and as many
// of its open rejections against a candidate. A change from observe to enforce counts
// as a change, too: events that fit neither schema are then newly failing.
// PreviewChange returns an Invalid fault for a candidate that is not valid.
func (p *Previewer) PreviewChange(ctx context.Context, key Key, candidate Spec, sample int) (Preview, error) {
	if err := key.CheckNames(); err != nil {
		return Preview{}, err
	}

	candidate, schema, err := candidate.Validate()
	if err != nil {
		return Preview{}, err
	}

	warnings := candidate.Warnings()
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return Preview{}, fault.NewUnavailable(ctx.Err(), fault.CodeUnavailable, "another preview is running; try again later", time.Second)
	}

	registered, current, err := p.currentSchemas(ctx, key, candidate.Mode)
	if err != nil {
		return Preview{}, err
	}

	redacted := registered != nil && registered.marks.hasMarks()
	run := preview{
		candidate: schema,
		current:   current,
		redacted:  redacted,
		marked:    []*Schema{registered, schema},
		kinds:     map[string]*ViolationPreview{},
		until:     p.now().Add(p.timeout),
		now:       p.now,
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()

	err = p.store.Events(ctx, key, sample, run.examineStored)
	if err == nil && !run.timedOut {
		err = p.store.Rejections(ctx, key, sample, func(r RejectedEvent) bool { return run.examineRejection(p.rules, r) })
	}

	if err != nil && ctx.Err() == nil {
		return Preview{}, err
	}

	run.result.Complete = err == nil && !run.timedOut
	run.result.Violations = run.commonestViolations()
	run.result.Warnings = warnings
	return run.result, nil
}

// currentSchemas returns the registered schema, and the schema to compare the candidate
// with: the one that rejects events now, or, if the next mode is observe, the one that
// validates them; nil if there is none.
func (p *Previewer) currentSchemas(ctx context.Context, key Key, next Mode) (registered, current *Schema, err error) {
	t, err := p.types.FindType(ctx, key, 0)
	if f, ok := fault.As(err); ok && f.Kind == fault.NotFound {
		return nil, nil, nil
	}

	if err != nil {
		return nil, nil, err
	}

	if registered, err = CompileSchema(t.Schema); err != nil {
		return nil, nil, err
	}

	if t.Mode == Observe && next == Enforce {
		return registered, nil, nil // it rejects nothing
	}

	return registered, registered, nil
}

// preview is a preview while it runs.
type preview struct {
	candidate, current *Schema
	// redacted means that the registered schema has marks, so that stored payloads
	// differ from the payloads as sent.
	redacted bool
	// marked are the schemas whose marks are applied to payloads that are shown.
	marked   []*Schema
	result   Preview
	kinds    map[string]*ViolationPreview
	until    time.Time
	now      func() time.Time
	timedOut bool
}

// examineStored examines a stored event; it reports whether there is time for another.
func (p *preview) examineStored(e StoredEvent) bool {
	if p.timedOut = p.now().After(p.until); p.timedOut {
		return false
	}

	found, err := p.candidate.CheckPayload(e.Data, p.redacted)
	before, _ := p.current.CheckPayload(e.Data, p.redacted)
	if err != nil {
		return true // not readable under any schema
	}

	counts := &p.result.Events
	counts.Examined++
	switch {
	case len(found) > 0 && len(before) > 0:
		counts.StillFailing++
	case len(found) > 0:
		counts.NewlyFailing++
	case len(before) > 0:
		counts.NewlyPassing++
	default:
		counts.Unaffected++
	}

	for _, v := range found {
		name := kindOf(v)
		kind := p.kinds[name]
		if kind == nil {
			if len(p.kinds) == maxKinds {
				continue
			}

			kind = &ViolationPreview{Pointer: v.Pointer, Detail: v.Detail, EventID: e.ID}
			if len(e.Data) <= sampleBytes {
				kind.Data = p.redactPayload(e.Data)
			}

			p.kinds[name] = kind
		}

		kind.Count++
	}

	return true
}

// redactPayload returns a stored payload without marked values, which may have been
// stored before they were marked. Hashes in it reveal nothing: their key is thrown
// away.
func (p *preview) redactPayload(data json.RawMessage) json.RawMessage {
	marked := slices.DeleteFunc(slices.Clone(p.marked), func(s *Schema) bool { return s == nil || !s.marks.hasMarks() })
	if len(marked) == 0 {
		return slices.Clone(data)
	}

	payload, err := decodePayload(data)
	if err != nil {
		return nil
	}

	key := []byte(rand.Text())
	for _, schema := range marked {
		schema.marks.newLooseRedactor(key).redactPayload(payload)
	}

	text, err := encodeJSON(payload)
	if err != nil {
		return nil
	}

	return text
}

// kindOf names the kind of a violation: its place without the index in an array, and
// the expectation without the found value.
func kindOf(v fault.Violation) string {
	tokens := strings.Split(v.Pointer, "/")
	for i, token := range tokens {
		if token != "" && strings.Trim(token, "0123456789") == "" {
			tokens[i] = "*"
		}
	}

	detail := strings.TrimPrefix(v.Detail, v.Pointer)
	_, expected, found := strings.Cut(detail, "; ")
	if !found {
		expected = detail
	}

	return strings.Join(tokens, "/") + "\x00" + expected
}

// examineRejection examines a rejection.
func (p *preview) examineRejection(rules *event.Rules, r RejectedEvent) bool {
	if p.timedOut = p.now().After(p.until); p.timedOut {
		return false
	}

	envelopes, single, err := event.ParseJSON(r.Raw, rules, p.now())
	if err != nil || !single || !envelopes[0].Has(event.FieldData) {
		return true // truncated, so that it cannot be replayed either
	}

	p.result.Rejections.Examined++
	if found, err := p.candidate.CheckPayload(envelopes[0].Event.Data, p.redacted); err == nil && len(found) == 0 {
		p.result.Rejections.NewlyPassing++
	} else {
		p.result.Rejections.StillFailing++
	}

	return true
}

func (p *preview) commonestViolations() []ViolationPreview {
	all := make([]ViolationPreview, 0, len(p.kinds))
	for _, kind := range p.kinds {
		all = append(all, *kind)
	}

	slices.SortFunc(all, func(a, b ViolationPreview) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Pointer, b.Pointer), strings.Compare(a.Detail, b.Detail))
	})
	return all[:min(len(all), maxShownViolations)]
}
