package query

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// ChangeFilter selects changed events. Zero values do not filter.
type ChangeFilter struct {
	Category    string
	Name        string
	Application string
}

func (f ChangeFilter) canonicalText() string {
	return fmt.Sprintf("changes %q %q %q", f.Category, f.Name, f.Application)
}

// ChangePosition is the place of an event in the order in which events were committed:
// by the transaction that stored or last changed it, then by timestamp and id.
type ChangePosition struct {
	// Transaction is 0 for events from before transactions were recorded.
	Transaction int64
	At          time.Time
	ID          uuid.UUID
}

// Watermark is the limit up to which changes can be read without missing one.
type Watermark struct {
	// Before is the oldest transaction that may still run. All earlier ones have ended.
	Before int64
	// First is the transaction of the first event, or Before when there is none.
	First int64
	// Next is the number of a transaction that would begin now.
	Next int64
	// History is the history in which the transactions have these numbers.
	History History
	// CompleteUntil is a time before which every commit precedes Before. Zero if it is
	// not known.
	CompleteUntil time.Time
}

// Change is an event in the order of changes.
type Change struct {
	Position ChangePosition
	// Wanted means that the event matches the filter. Of other events only the position
	// is known.
	Wanted bool
	Event  event.Stored
}

// ChangeStore reads events in the order in which they were committed.
type ChangeStore interface {
	// Watermark returns the limit up to which changes can be read now.
	Watermark(ctx context.Context) (Watermark, error)
	// History returns the history of the database that is read now.
	History(ctx context.Context) (History, error)
	// Changes yields the events after a position whose transactions come before the
	// given one, including events that do not match the filter: at most limit, in
	// order. It stops when yield returns false.
	Changes(ctx context.Context, filter ChangeFilter, after ChangePosition, before int64, limit int, yield func(Change) bool) error
	// EventsOf yields the id and the time of receipt of each event that a transaction
	// stored or was the last to change. It stops when yield returns false.
	EventsOf(ctx context.Context, transaction int64, yield func(id uuid.UUID, receivedAt time.Time) bool) error
}

// ChangePage is a page of changes.
type ChangePage struct {
	Events []event.Stored
	// Next is the cursor to continue from; it is never empty.
	Next string
	// More means that there are already changes after Next.
	More bool
	// CompleteUntil is set when there are no more changes: all events committed before
	// it have been returned. Zero means not known.
	CompleteUntil time.Time
	// Restarted is set on the first page when the database no longer has all changes
	// that were read before, and events are returned again. It is a sentence with the
	// reason and the starting point.
	Restarted string
}

// The bounds of the events that are examined for one page, so that a filter that
// matches few events is answered in time.
const (
	changeWindow  = 5_000
	changeWindows = 4
)

// firstTransaction comes before the number of every transaction, and after the events
// from before transactions were recorded.
const firstTransaction = 1

// ChangePages writes changes, a page of at most limit at a time, up to the present
// watermark, until write returns false or fails. The first page is written even if it
// is empty.
func (f *Finder) ChangePages(ctx context.Context, filter ChangeFilter, cursor string, limit int, write func(ChangePage) (more bool, err error)) error {
	if limit < 1 || limit > MaxLimit {
		return errors.New("a page's limit is out of bounds")
	}

	mark, err := f.Watermark(ctx)
	if err != nil {
		return err
	}

	at, restarted, err := f.resumeCursor(ctx, filter, cursor, mark)
	if err != nil {
		return err
	}

	for {
		p, err := f.changePage(ctx, filter, &at, mark, limit)
		if err == nil {
			err = f.checkHistoryUnchanged(ctx, mark.History)
		}

		if err != nil {
			return err
		}

		p.Next = at.encodeText(filter.canonicalText())
		p.Restarted = restarted
		restarted = ""
		if !p.More {
			p.CompleteUntil = mark.CompleteUntil
		}

		if more, err := write(p); err != nil || !more || !p.More {
			return err
		}
	}
}

// checkHistoryUnchanged returns a fault if the database failed over during the read:
// the watermark was of one history, and the events may be of the other.
func (f *Finder) checkHistoryUnchanged(ctx context.Context, history History) error {
	now, err := f.History(ctx)
	if err == nil && now != history {
		return fault.NewUnavailable(nil, fault.CodeUnavailable, "the database was restarted, or failed over, while its changes were read; ask again", time.Second)
	}

	return err
}

// changePage reads a page, and moves the cursor past it.
func (f *Finder) changePage(ctx context.Context, filter ChangeFilter, cursor *changeCursor, mark Watermark, limit int) (ChangePage, error) {
	p := ChangePage{Events: make([]event.Stored, 0, min(limit, DefaultLimit)), More: true}
	at := cursor.at
	last := checkpoint{}
	bytes := 0
	defer func() {
		cursor.at = at
		cursor.checkpoints = cursor.checkpoints.addCheckpoint(last)
	}()

	for range changeWindows {
		if at.Transaction < firstTransaction && mark.First >= firstTransaction {
			at = ChangePosition{Transaction: firstTransaction} // spares a search
		}

		window := changeWindow
		if filter == (ChangeFilter{}) {
			window = limit + 1
		}

		looked := 0
		full := false
		err := f.Changes(ctx, filter, at, mark.Before, window, func(c Change) bool {
			if c.Wanted {
				bytes += len(c.Event.Data)
				if full = len(p.Events) == limit || (bytes > pageBytes && len(p.Events) > 0); full {
					return false
				}

				p.Events = append(p.Events, c.Event)
			}

			at = c.Position
			last = newCheckpoint(&c)
			looked++
			return true
		})
		switch {
		case err != nil:
			return p, err
		case full:
			return p, nil
		case looked < window && at.Transaction < firstTransaction:
			at = ChangePosition{Transaction: firstTransaction}
		case looked < window:
			p.More = false
			return p, nil
		}
	}

	return p, nil
}
