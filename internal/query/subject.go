package query

import (
	"context"
	"time"

	"github.com/the-eye-events/the-eye/internal/event"
)

// SubjectStore finds the stored data of a subject: usually a person, whose payloads
// have certain values. It finds the same data as an erasure by these values.
type SubjectStore interface {
	// SubjectEvents examines some events after a position, in the order of time, and
	// yields the events that have all values. It returns the position of the last event
	// that it examined, nil at the end.
	SubjectEvents(ctx context.Context, values []DataFilter, after Position, yield func(event.Stored) bool) (*Position, error)
	// SubjectRejections does the same for rejections whose text has all values.
	SubjectRejections(ctx context.Context, values []DataFilter, after Position, yield func(Rejection) bool) (*Position, error)
}

// ReadSubject writes all stored data of a subject, some events or rejections at a time:
// first the events, then the rejections. It sometimes calls write with nothing, so that
// the reader sees progress. The search for each part may take as long as patience.
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

// readInParts calls read again with the position at which it stopped, until there is
// none.
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
