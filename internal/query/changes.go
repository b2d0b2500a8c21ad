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

// ChangeFilter says which changed events are wanted. Zero values do not filter.
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
	// Transaction is 0 for events from before transactions were noted.
	Transaction int64
	At          time.Time
	ID          uuid.UUID
}

// Watermark is how far changes can be read without missing one.
type Watermark struct {
	// Before is the oldest transaction that may still run. All before it have ended.
	Before int64
	// First is the transaction of the first event, or Before when there is none.
	First int64
	// Next is the number of a transaction that would begin now.
	Next int64
	// History is whose numbers these are.
	History History
	// CompleteUntil is a time before which every commit precedes Before. Zero: it is not known.
	CompleteUntil time.Time
}

// Change is an event in the order of changes.
type Change struct {
	Position ChangePosition
	// Wanted tells that the event is one that the filter wants. Of others only the
	// position is known.
	Wanted bool
	Event  event.Stored
}

// ChangeStore reads events in the order in which they were committed.
type ChangeStore interface {
	// Watermark tells how far changes can be read now.
	Watermark(ctx context.Context) (Watermark, error)
	// History tells whose transactions are read now.
	History(ctx context.Context) (History, error)
	// Changes gives the events behind a position, whose transactions come before the
	// given one, whether the filter wants them or not: at most limit, in order. It
	// stops when yield returns false.
	Changes(ctx context.Context, filter ChangeFilter, after ChangePosition, before int64, limit int, yield func(Change) bool) error
	// EventsOf gives the id and the time of receipt of each event that a transaction
	// stored or was the last to change. It stops when yield returns false.
	EventsOf(ctx context.Context, transaction int64, yield func(id uuid.UUID, receivedAt time.Time) bool) error
}

// ChangePage is a part of the changes.
type ChangePage struct {
	Events []event.Stored
	// Next is the cursor to go on from, always.
	Next string
	// More tells that there are changes behind Next already.
	More bool
	// CompleteUntil is set when there are no more: every event that was committed before
	// it was given. Zero is not known.
	CompleteUntil time.Time
	// Restarted is set on the first page when the database no longer has all that was read
	// before, and events are given again. It is a sentence that says why, and from where.
	Restarted string
}

// The bounds of what is looked at for one page, so that a filter that wants little is
// answered in time.
const (
	changeWindow  = 5_000
	changeWindows = 4
)

// firstTransaction comes before every transaction's number, and behind the events
// from before they were noted.
const firstTransaction = 1

// ChangePages hands over changes, a page of at most limit at a time, up to the watermark of
// now, until write returns false or fails. The first page is there even when it is empty.
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
		p.Restarted, restarted = restarted, ""
		if !p.More {
			p.CompleteUntil = mark.CompleteUntil
		}

		if more, err := write(p); err != nil || !more || !p.More {
			return err
		}
	}
}

// checkHistoryUnchanged refuses what was read while the database failed over: the watermark was of the
// one history, and the events perhaps of the other.
func (f *Finder) checkHistoryUnchanged(ctx context.Context, history History) error {
	now, err := f.History(ctx)
	if err == nil && now != history {
		return fault.NewUnavailable(nil, fault.CodeUnavailable, "the database was started anew, or failed over, while its changes were read; ask again", time.Second)
	}

	return err
}

// changePage reads a page, and moves the cursor behind it.
func (f *Finder) changePage(ctx context.Context, filter ChangeFilter, cursor *changeCursor, mark Watermark, limit int) (ChangePage, error) {
	p := ChangePage{Events: make([]event.Stored, 0, min(limit, DefaultLimit)), More: true}
	at, last, bytes := cursor.at, checkpoint{}, 0
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

		looked, full := 0, false
		err := f.Changes(ctx, filter, at, mark.Before, window, func(c Change) bool {
			if c.Wanted {
				bytes += len(c.Event.Data)
				if full = len(p.Events) == limit || (bytes > pageBytes && len(p.Events) > 0); full {
					return false
				}

				p.Events = append(p.Events, c.Event)
			}

			at, last = c.Position, newCheckpoint(&c)
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
