package query

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
)

// Bounds of a page.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
	// pageBytes bounds the payloads of a page. A larger page ends early. Several pages
	// of one key have to fit into the key's share of the memory for answers.
	pageBytes = 4 << 20
)

// EventStore finds events.
type EventStore interface {
	// Events yields the events of a filter after a position, at most limit, in order.
	// It stops when yield returns false.
	Events(ctx context.Context, filter EventFilter, after *Position, limit int, yield func(event.Stored) bool) error
	// Event returns an event, or a NotFound fault.
	Event(ctx context.Context, id uuid.UUID) (event.Stored, error)
}

// SessionStore finds sessions.
type SessionStore interface {
	Sessions(ctx context.Context, filter SessionFilter, after *Position, limit int, yield func(event.Session) bool) error
	// Session returns a session that was not erased, or a NotFound fault.
	Session(ctx context.Context, id uuid.UUID) (event.Session, error)
}

// RejectionStore finds rejections.
type RejectionStore interface {
	Rejections(ctx context.Context, filter RejectionFilter, after *Position, limit int, yield func(Rejection) bool) error
	// Rejection returns a rejection, or a NotFound fault.
	Rejection(ctx context.Context, id uuid.UUID) (Rejection, error)
	// CountNotKept counts the rejections of an application (of all, if "") that were
	// counted and not kept, over the hours that the filter's time range touches.
	CountNotKept(ctx context.Context, filter RejectionFilter) (int64, error)
	// CountRejections yields the counts of a filter that are not zero, at most limit,
	// in any order, all as of one moment. A filter without a grouping has one count.
	CountRejections(ctx context.Context, filter RejectionStatsFilter, limit int, yield func(Bucket) bool) error
	// RejectionGroups returns the most frequent groups of a filter, the largest first.
	// With a code, the groups are made of that reason only.
	RejectionGroups(ctx context.Context, filter RejectionFilter, limit int) ([]RejectionGroup, error)
}

// Page is a part of a list. Next is the cursor of the next part, or empty.
type Page[T any] struct {
	Items []T
	Next  string
}

// Finder answers queries. It is safe for concurrent use.
type Finder struct {
	EventStore
	SessionStore
	RejectionStore
	StatsStore
	PathStore
	ChangeStore
	TraceStore
	AuditStore
	SubjectStore
}

// EventPage returns a page of events.
func (f *Finder) EventPage(ctx context.Context, filter EventFilter, cursor string, limit int) (Page[event.Stored], error) {
	return readPage(filter.canonicalText(), cursor, limit, eventPosition, func(e event.Stored) int { return len(e.Data) },
		func(after *Position, limit int, yield func(event.Stored) bool) error {
			return f.Events(ctx, filter, after, limit, yield)
		})
}

// SessionPage returns a page of sessions.
func (f *Finder) SessionPage(ctx context.Context, filter SessionFilter, cursor string, limit int) (Page[event.Session], error) {
	position := func(s event.Session) Position { return Position{At: s.StartedAt, ID: s.ID} }
	return readPage(filter.canonicalText(), cursor, limit, position, func(event.Session) int { return 0 },
		func(after *Position, limit int, yield func(event.Session) bool) error {
			return f.Sessions(ctx, filter, after, limit, yield)
		})
}

// RejectionPage returns a page of rejections.
func (f *Finder) RejectionPage(ctx context.Context, filter RejectionFilter, cursor string, limit int) (Page[Rejection], error) {
	position := func(r Rejection) Position { return Position{At: r.ReceivedAt, ID: r.ID} }
	return readPage(filter.canonicalText(), cursor, limit, position, func(r Rejection) int { return renderedSize(r.Raw) },
		func(after *Position, limit int, yield func(Rejection) bool) error {
			return f.Rejections(ctx, filter, after, limit, yield)
		})
}

// renderedSize returns the largest size of a raw text in an answer: an escape may need
// six bytes for one, and a text that is not UTF-8 is returned in base64 as well.
func renderedSize(raw []byte) int {
	const escape = 6
	n := len(raw)
	for _, c := range raw {
		if c < ' ' || c >= utf8.RuneSelf || strings.IndexByte(`"\<>&`, c) >= 0 {
			n += escape - 1
		}
	}

	if !utf8.Valid(raw) {
		n += base64.StdEncoding.EncodedLen(len(raw))
	}

	return n
}

func eventPosition(e event.Stored) Position {
	return Position{At: e.Timestamp, Sequence: e.Sequence, ID: e.ID}
}

// readPage reads one row more than the limit, to know whether there is a next page.
func readPage[T any](filter, cursor string, limit int, position func(T) Position, size func(T) int,
	read func(after *Position, limit int, yield func(T) bool) error,
) (Page[T], error) {
	after, err := decodeCursor(filter, cursor)
	if err != nil {
		return Page[T]{}, err
	}

	if limit < 1 || limit > MaxLimit {
		return Page[T]{}, errors.New("a page's limit is out of bounds")
	}

	p := Page[T]{Items: make([]T, 0, min(limit, DefaultLimit))}
	bytes := 0
	more := false
	err = read(after, limit+1, func(item T) bool {
		bytes += size(item)
		if more = len(p.Items) == limit || (bytes > pageBytes && len(p.Items) > 0); more {
			return false
		}

		p.Items = append(p.Items, item)
		return true
	})
	if err != nil {
		return Page[T]{}, err
	}

	if more {
		p.Next = encodeCursor(filter, position(p.Items[len(p.Items)-1]))
	}

	return p, nil
}
