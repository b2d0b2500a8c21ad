package query

import (
	"context"
	"time"

	"github.com/the-eye-events/the-eye/internal/event"
)

// SubjectStore finds what is kept of a subject: of a person, most often, whose payloads
// have certain values. It looks for the same as an erasure by these values does.
type SubjectStore interface {
	// SubjectEvents looks through some events behind a position, in the order of time, and
	// hands over those that have all values. It returns the last one that it looked at, nil
	// at the end.
	SubjectEvents(ctx context.Context, values []DataFilter, after Position, yield func(event.Stored) bool) (*Position, error)
	// SubjectRejections does the same for rejections whose text has all values.
	SubjectRejections(ctx context.Context, values []DataFilter, after Position, yield func(Rejection) bool) (*Position, error)
}

// ReadSubject hands over all that is kept of a subject, some events or rejections at a time:
// first the events, then the rejections. It calls write now and then with nothing, so that
// its reader sees that it goes on. Each part is looked for within patience.
func (f *Finder) ReadSubject(ctx context.Context, values []DataFilter, patience time.Duration, write func([]event.Stored, []Rejection) error) error {
	err := readInParts(ctx, patience, func(ctx context.Context, after Position) (*Position, error) {
		var events []event.Stored
		last, err := f.SubjectEvents(ctx, values, after, func(e event.Stored) bool {
			events = append(events, e)
			return true
		})
		if err != nil {
			return nil, err
		}

		return last, write(events, nil)
	})
	if err != nil {
		return err
	}

	return readInParts(ctx, patience, func(ctx context.Context, after Position) (*Position, error) {
		var rejections []Rejection
		last, err := f.SubjectRejections(ctx, values, after, func(r Rejection) bool {
			rejections = append(rejections, r)
			return true
		})
		if err != nil {
			return nil, err
		}

		return last, write(nil, rejections)
	})
}

// readInParts calls read with the place at which it stopped until there is none.
func readInParts(ctx context.Context, patience time.Duration, read func(ctx context.Context, after Position) (*Position, error)) error {
	for after := (Position{}); ; {
		bounded, cancel := context.WithTimeout(ctx, patience)
		last, err := read(bounded, after)
		cancel()
		if err != nil || last == nil {
			return err
		}

		after = *last
	}
}
