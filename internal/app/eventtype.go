package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/plan"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

// The words of event types, for commands.
type (
	// EventType is a version of a registered type.
	EventType = eventtype.Type
	// EventTypeKey is a category and a name.
	EventTypeKey = eventtype.Key
	// EventTypeSpec is what a version is made from.
	EventTypeSpec = eventtype.Spec
	// EventTypeResult is what a change did to a type.
	EventTypeResult = eventtype.Result
	// EventTypePreview is what a candidate for a schema would do.
	EventTypePreview = eventtype.Preview
	// Plan are event types that were read from files.
	Plan = plan.Plan
	// Draft is a version of JSON Schema.
	Draft = eventtype.Draft
)

// What can become of a type.
const (
	EventTypeCreated   = eventtype.Created
	EventTypeChanged   = eventtype.Changed
	EventTypeDeleted   = eventtype.Deleted
	EventTypeUnchanged = eventtype.Unchanged
)

// EventTypeEnforce is the mode in which events are refused that do not fit.
const EventTypeEnforce = string(eventtype.Enforce)

// DefaultSample and MaxSample are how many stored events are looked at.
const (
	DefaultSample = eventtype.DefaultSample
	MaxSample     = eventtype.MaxSample
)

// ErrPlan tells that files do not hold event types as they should.
var ErrPlan = plan.ErrInvalid

// ReadPlan reads event types from a file, from the files below a directory, or from in
// when the path is -. What is wrong in them is an ErrPlan. Schemas of an older draft are
// converted.
func ReadPlan(path string, in io.Reader, from Draft) (Plan, error) { return plan.Read(path, in, from) }

// NewestDraft is the draft that schemas are judged by.
const NewestDraft = eventtype.Draft2020

// ParseDraft reads the name of a draft.
func ParseDraft(text string) (Draft, bool) { return eventtype.ParseDraft(text) }

// ConvertSchemas reads a file of schemas, or of a plan, and writes it with schemas of the
// newest draft; notes is what to look at, a line each.
func ConvertSchemas(path string, in io.Reader, from Draft) (text []byte, notes []string, err error) {
	return plan.ConvertFile(path, in, from)
}

// EventTypeYAML writes a type as a file of a plan has it, below lines of comment.
func EventTypeYAML(t *EventType, comment string) ([]byte, error) { return plan.RenderYAML(t, comment) }

// EventTypeJSON writes a type as a file of a plan has it.
func EventTypeJSON(t *EventType) ([]byte, error) { return plan.RenderJSON(t) }

// DiffEventType shows what a change does to a type.
func DiffEventType(r *EventTypeResult) (string, error) { return plan.DiffTypes(r.Before, r.After) }

// ExportEventTypes writes each type into a file of a directory.
func ExportEventTypes(directory string, types []EventType) ([]string, error) {
	return plan.ExportTypes(directory, types)
}

// EventTypes administers event types and looks at the events of theirs.
type EventTypes struct {
	*eventtype.Registry

	previewer *eventtype.Previewer
	samples   eventtype.SampleStore
}

// WithEventTypes runs use with the registry of event types, for commands that work on
// the database without a service. Changes reach running services within 5 s.
func WithEventTypes(ctx context.Context, c config.Config, use func(EventTypes) error) error {
	return withDatabase(ctx, c, func(db *postgres.DB) error {
		store := postgres.NewEventTypeStore(db)
		rules := rulesOf(c)
		return use(EventTypes{
			Registry:  eventtype.NewRegistry(store, nil),
			previewer: eventtype.NewPreviewer(store, store, &rules, c.Database.ReadTimeout, time.Now),
			samples:   store,
		})
	})
}

// Preview tells what a candidate would do to the newest stored events of a type, sample
// at most, and to its open rejections.
func (t EventTypes) Preview(ctx context.Context, key EventTypeKey, candidate EventTypeSpec, sample int) (EventTypePreview, error) {
	return t.previewer.PreviewChange(ctx, key, candidate, sample)
}

// InferSchema proposes a schema from the newest stored events of a type, sample at most, and
// tells how many there were.
func (t EventTypes) InferSchema(ctx context.Context, key EventTypeKey, sample int) (proposal EventType, events int, err error) {
	proposal = EventType{Key: key, Spec: EventTypeSpec{Mode: eventtype.Observe}}
	if err := key.CheckNames(); err != nil {
		return proposal, 0, err
	}

	inference, err := eventtype.NewInference()
	if err != nil {
		return proposal, 0, err
	}

	current, err := t.currentSchema(ctx, key)
	if err != nil {
		return proposal, 0, fmt.Errorf("infer a schema: %w", err)
	}

	inference.HideMarked(current)

	var unread error
	err = t.samples.Events(ctx, key, sample, func(e eventtype.StoredEvent) bool {
		unread = inference.AddPayload(e.Data)
		return unread == nil
	})
	if err == nil {
		err = unread
	}

	if err != nil {
		return proposal, 0, fmt.Errorf("infer a schema: %w", err)
	}

	proposal.Schema, err = inference.ProposeSchema()
	return proposal, inference.Events(), err
}

// currentSchema returns the compiled schema of a type; nil where there is none.
func (t EventTypes) currentSchema(ctx context.Context, key EventTypeKey) (*eventtype.Schema, error) {
	current, err := t.FindType(ctx, key, 0)
	if f, ok := fault.As(err); ok && f.Kind == fault.NotFound {
		return nil, nil //nolint:nilnil // the nil Schema is the one without rules and marks
	}

	if err != nil {
		return nil, err
	}

	return eventtype.CompileSchema(current.Schema)
}
