package ingest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// ledger knows some events, and counts its lookups.
type ledger struct {
	known map[uuid.UUID]ingest.LedgerEntry
	err   error
	asked int
}

func (l *ledger) Lookup(context.Context, []uuid.UUID) (map[uuid.UUID]ingest.LedgerEntry, error) {
	l.asked++
	return l.known, l.err
}

func TestGivenEventsAreHeldAgainstTheLedger(t *testing.T) {
	t.Parallel()
	stored := event.Stored{Event: good(uuid.New()).Event, Sequence: 7}
	erased := uuid.New()
	l := &ledger{known: map[uuid.UUID]ingest.LedgerEntry{
		stored.ID: {Digest: stored.Digest(), Stored: stored}, erased: {Erased: true},
	}}
	c := ingest.New(config(), ingest.Deps{Store: newFake(), Ledger: l, Logger: zap.NewNop(), NewID: uuid.New, Now: time.Now})
	c.Start(t.Context())
	t.Cleanup(func() { c.Stop(context.Background()) })
	given := func(sequence string, change func(e *event.Envelope)) event.Envelope {
		e := event.Envelope{Event: stored.Event, Known: event.FieldID, ReadOnly: []event.Member{{Name: "sequence", Text: []byte(sequence)}}}
		change(&e)
		return e
	}
	same := func(*event.Envelope) {}
	verdicts, err := c.Submit(t.Context(), &ingest.Request{Envelopes: []event.Envelope{
		given("7", same), given("8", same),
		given("7", func(e *event.Envelope) { e.Event.ID = uuid.New() }),
		given("7", func(e *event.Envelope) { e.Known = 0 }),
		given("8", func(e *event.Envelope) { e.Event.Name = "other" }),
		given("8", func(e *event.Envelope) { e.Event.ID = erased }),
	}})
	require.NoError(t, err)
	codes := make([]fault.Code, len(verdicts))
	for i, v := range verdicts {
		if len(v.Violations) > 0 {
			codes[i] = v.Violations[0].Code
		}
	}

	require.Equal(t, []fault.Code{"", fault.CodeReadOnlyField, fault.CodeImportUnsupported, fault.CodeImportUnsupported, "", ""}, codes,
		"the store decides on other content and on erased events")
	require.Equal(t, 1, l.asked)

	_, err = c.Submit(t.Context(), &ingest.Request{Envelopes: []event.Envelope{good(uuid.New())}})
	require.NoError(t, err)
	require.Equal(t, 1, l.asked, "events without such members cost nothing")

	l.err = errors.New("away")
	_, err = c.Submit(t.Context(), &ingest.Request{Envelopes: []event.Envelope{given("7", same)}})
	require.True(t, fault.Is(err, fault.CodeUnavailable))
}
