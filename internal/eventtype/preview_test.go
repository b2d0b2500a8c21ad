package eventtype_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// samples is a store with one type and some of its events.
type samples struct {
	eventtype.Store

	current eventtype.Type
	data    []string
}

func (s samples) FindType(context.Context, eventtype.Key, int32) (eventtype.Type, error) {
	return s.current, nil
}

func (s samples) Events(_ context.Context, _ eventtype.Key, _ int, yield func(eventtype.StoredEvent) bool) error {
	for _, data := range s.data {
		yield(eventtype.StoredEvent{ID: uuid.New(), Data: json.RawMessage(data)})
	}

	return nil
}

func (samples) Rejections(context.Context, eventtype.Key, int, func(eventtype.RejectedEvent) bool) error {
	return nil
}

// A preview shows no value that is marked now or by the candidate, even if it was
// stored before.
func TestAPreviewShowsNothingMarked(t *testing.T) {
	t.Parallel()
	store := samples{
		current: formType(`{"properties": {"now": {"x-theeye": "mask"}}}`, eventtype.Enforce),
		data:    []string{`{"now": "canary", "next": {"ssn": "canary"}, "plain": "seen"}`, `{"next": [{"ssn": "canary"}], "x": {"ssn": "canary"}, "plain": "seen"}`},
	}
	rules := event.DefaultRules()
	previewer := eventtype.NewPreviewer(store, store, &rules, time.Minute, time.Now)
	candidate := eventtype.Spec{Schema: json.RawMessage(`{"required": ["missing"], "properties": {"next": {"type": "object", "properties": {"ssn": {"type": "integer", "x-theeye": "drop"}}}}}`)}

	preview, err := previewer.PreviewChange(t.Context(), store.current.Key, candidate, 10)
	require.NoError(t, err)
	require.Equal(t, 2, preview.Events.NewlyFailing)
	text, err := json.Marshal(preview)
	require.NoError(t, err)
	require.NotContains(t, string(text), "canary")
	require.Contains(t, string(text), `"plain":"seen"`)
}
