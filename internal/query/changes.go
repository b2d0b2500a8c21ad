package query

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
)

// ChangeFilter says which changed events are wanted. Zero values do not filter.
type ChangeFilter struct {
	Category    string
	Name        string
	Application string
}

func (f ChangeFilter) describe() string {
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
	// System names the database cluster that numbers the transactions.
	System int64
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
	// Changes gives the events behind a position, whose transactions come before the
	// given one, whether the filter wants them or not: at most limit, in order. It
	// stops when yield returns false.
	Changes(ctx context.Context, filter ChangeFilter, after ChangePosition, before int64, limit int, yield func(Change) bool) error
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
	at, err := decodeChange(filter.describe(), mark.System, cursor)
	if err != nil {
		return err
	}
	for {
		p, next, err := f.changePage(ctx, filter, at, mark, limit)
		if err != nil {
			return err
		}
		p.Next = encodeChange(filter.describe(), mark.System, next)
		if !p.More {
			p.CompleteUntil = mark.CompleteUntil
		}
		if more, err := write(p); err != nil || !more || !p.More {
			return err
		}
		at = next
	}
}

func (f *Finder) changePage(ctx context.Context, filter ChangeFilter, at ChangePosition, mark Watermark, limit int) (ChangePage, ChangePosition, error) {
	p := ChangePage{Events: make([]event.Stored, 0, min(limit, DefaultLimit)), More: true}
	bytes := 0
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
			at = c.Position
			looked++
			return true
		})
		switch {
		case err != nil:
			return p, at, err
		case full:
			return p, at, nil
		case looked < window && at.Transaction < firstTransaction:
			at = ChangePosition{Transaction: firstTransaction}
		case looked < window:
			p.More = false
			return p, at, nil
		}
	}
	return p, at, nil
}

// A cursor of changes is a version, the filter's fingerprint, the cluster, the
// position, and a checksum of it all.
const (
	changeVersion   = 2
	changeCursorLen = 1 + fingerprintLen + 8 + 8 + 8 + 16 + checksumLen
)

func encodeChange(filter string, system int64, p ChangePosition) string {
	b := make([]byte, 0, changeCursorLen)
	b = append(b, changeVersion)
	b = append(b, fingerprint(filter)...)
	for _, number := range []int64{system, p.Transaction, p.At.UnixMicro()} {
		b = binary.BigEndian.AppendUint64(b, uint64(number)) //nolint:gosec // same bits
	}
	b = append(b, p.ID[:]...)
	b = append(b, checksum(b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeChange(filter string, system int64, text string) (p ChangePosition, err error) {
	if text == "" {
		return p, nil
	}
	b, err := decodeText(text)
	if err != nil || len(b) != changeCursorLen || b[0] != changeVersion || string(checksum(b[:changeCursorLen-checksumLen])) != string(b[changeCursorLen-checksumLen:]) {
		return p, refuseCursor("after", "the cursor was altered, or is none of changes; use next as it was given, or leave after out to begin anew")
	}
	if string(b[1:1+fingerprintLen]) != string(fingerprint(filter)) {
		return p, refuseCursor("after", "the cursor belongs to other filters, or to a key that reads another application; repeat those that it came with")
	}
	b = b[1+fingerprintLen:]
	number := func(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) } //nolint:gosec // same bits
	if number(0) != system {
		return p, refuseCursor("after", "the cursor is of another database cluster, which numbered its transactions by itself: "+
			"this one was restored from a dump, or upgraded; leave after out to read everything anew, events have the same event_id")
	}
	at := time.UnixMicro(number(16)).UTC()
	if !storable(at) {
		return p, refuseCursor("after", "the cursor was made up; use next as it was given, or leave after out to begin anew")
	}
	return ChangePosition{Transaction: number(8), At: at, ID: uuid.UUID(b[24:40])}, nil
}
