package ingest

import (
	"context"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fair"
)

// Ledger finds stored events by their ids. The postgres package implements it.
type Ledger interface {
	// Lookup returns what is stored under those of the ids that were ever used.
	Lookup(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]LedgerEntry, error)
}

// LedgerEntry is what is stored under an id.
type LedgerEntry struct {
	// Erased means that the event was erased; then nothing else is known.
	Erased bool
	// Digest names the event's content.
	Digest event.Digest
	// Stored is the event without its payload: those of a thousand events may be large.
	Stored event.Stored
}

// checkReadOnlyFields compares events that were read from the service and sent again, with
// the members that the service adds, with what is stored. An event that says the same is
// marked, and continues as every event does: it turns out a duplicate. One with an unknown id
// is rejected, and so is one of which such a member was changed, if its content is what is
// stored: of other events nothing is disclosed. Events without such members cost nothing here.
func (c *Collector) checkReadOnlyFields(ctx context.Context, request *Request) error {
	var ids []uuid.UUID
	for i := range request.Envelopes {
		if e := &request.Envelopes[i]; len(e.ReadOnly) > 0 && e.Accepted() && e.Has(event.FieldID) {
			ids = append(ids, e.Event.ID)
		}
	}

	var stored map[uuid.UUID]LedgerEntry
	if len(ids) > 0 && c.deps.Ledger != nil {
		const parts = 2 // of the budget: one for the look-up, the rest for the commit
		if fair.CallerOf(ctx) == "" {
			ctx = fair.WithCaller(ctx, request.ApplicationName)
		}

		ctx, cancel := context.WithTimeout(ctx, c.config.Budget/parts)
		defer cancel()

		var err error
		if stored, err = c.deps.Ledger.Lookup(ctx, ids); err != nil {
			return c.uncheckedFault(err)
		}
	}

	for i := range request.Envelopes {
		if e := &request.Envelopes[i]; len(e.ReadOnly) > 0 && e.Accepted() {
			checkAgainstStored(e, stored)
		}
	}

	return nil
}

// checkAgainstStored compares one event with what is stored under its id.
func checkAgainstStored(e *event.Envelope, stored map[uuid.UUID]LedgerEntry) {
	entry, used := stored[e.Event.ID]
	switch {
	case !used || !e.Has(event.FieldID):
		e.RejectImport()
	case !entry.Erased && entry.Digest == e.Event.Digest():
		e.RejectChanged(&entry.Stored)
		e.Unchanged = e.Accepted()
	}
}
