package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

// EventTypes manages event types and reads their events.
type EventTypes struct {
	*eventtype.Registry

	previewer *eventtype.Previewer
	samples   eventtype.SampleStore
}

// WithEventTypes calls use with the registry of event types, for commands that use the
// database without a service. Running services apply changes within 5 s.
func WithEventTypes(ctx context.Context, c config.Config, use func(EventTypes) error) error {
	return withDatabase(ctx, c, func(db *postgres.DB) error {
		store := postgres.NewEventTypeStore(db)
		rules := app.RulesOf(c)
		return use(EventTypes{
			Registry:  eventtype.NewRegistry(store, nil),
			previewer: eventtype.NewPreviewer(store, store, &rules, c.Database.ReadTimeout, time.Now),
			samples:   store,
		})
	})
}

// Preview reports the effect of a candidate on the newest stored events of a type, at most
// sample, and on its open rejections.
func (t EventTypes) Preview(ctx context.Context, key eventtype.Key, candidate eventtype.Spec, sample int) (eventtype.Preview, error) {
	return t.previewer.PreviewChange(ctx, key, candidate, sample)
}

// InferSchema proposes a schema from the newest stored events of a type, at most sample, and
// returns the number of events.
func (t EventTypes) InferSchema(ctx context.Context, key eventtype.Key, sample int) (proposal eventtype.Type, events int, err error) {
	proposal = eventtype.Type{Key: key, Spec: eventtype.Spec{Mode: eventtype.Observe}}
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

// currentSchema returns the compiled schema of a type; nil if there is none.
func (t EventTypes) currentSchema(ctx context.Context, key eventtype.Key) (*eventtype.Schema, error) {
	current, err := t.FindType(ctx, key, 0)
	if f, ok := fault.As(err); ok && f.Kind == fault.NotFound {
		return nil, nil //nolint:nilnil // the nil Schema is the one without rules and marks
	}

	if err != nil {
		return nil, err
	}

	return eventtype.CompileSchema(current.Schema)
}
