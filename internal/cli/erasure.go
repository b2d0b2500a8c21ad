package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/query"
)

// UnfinishedError tells that an erasure was begun and that its caller waits no longer. A service
// that runs finishes it.
type UnfinishedError struct {
	ID    uuid.UUID
	cause error
}

// Error implements error.
func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("not finished yet (%v): erasure %s goes on in any service that runs on this database; look at it with: theeye erasure %s", e.cause, e.ID, e.ID)
}

// Unwrap returns why nobody waits.
func (e *UnfinishedError) Unwrap() error { return e.cause }

// ErasedSession counts what was erased with a session.
type ErasedSession struct {
	ID        uuid.UUID `json:"session_id"`
	ErasureID uuid.UUID `json:"erasure_id"`
	erasure.Counts
}

// EraseSession erases a session with its events and its errors. Later events of it
// are refused. progress is told how far it is. It returns a NotFound fault where nothing
// is kept of it, and UnfinishedError when ctx ends.
func (d DataAdmin) EraseSession(ctx context.Context, text string, progress func(erasure.Erasure)) (ErasedSession, error) {
	id, err := parseID(text)
	if err != nil {
		return ErasedSession{}, err
	}

	finished, err := d.runErasure(ctx, erasure.Request{SessionIDs: []uuid.UUID{id}, MustExist: true}, progress)
	return ErasedSession{id, finished.ID, finished.Counts}, err
}

// EraseSubject erases all events and errors whose payloads have all values, each given as
// path=value. progress is told how far it is. It returns UnfinishedError when ctx ends.
func (d DataAdmin) EraseSubject(ctx context.Context, values []string, progress func(erasure.Erasure)) (*erasure.Erasure, error) {
	filters, err := parseSubject(values)
	if err != nil {
		return nil, err
	}

	var ask erasure.Request
	for _, f := range filters {
		ask.Values = append(ask.Values, erasure.Value{Path: f.Path.String(), Steps: f.Path, Text: f.Value})
	}

	finished, err := d.runErasure(ctx, ask, progress)
	if err == nil && finished.Events == 0 && finished.Rejections == 0 {
		err = fmt.Errorf("%w: look at the spelling of the path and the value; the receipt is: theeye erasure %s", errNoMatch, finished.ID)
	}

	return &finished, err
}

// errNoMatch tells that an erasure found nothing, as one by a misspelt path does.
var errNoMatch = errors.New("nothing that is kept has these values")

func (d DataAdmin) runErasure(ctx context.Context, ask erasure.Request, progress func(erasure.Erasure)) (erasure.Erasure, error) {
	begun, err := d.eraser.BeginErasure(ctx, ask)
	if err != nil {
		return begun, err
	}

	finished, err := d.eraser.FinishErasure(ctx, begun.ID, progress)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}

		return begun, &UnfinishedError{begun.ID, err}
	}

	return finished, nil
}

// FindErasure returns an erasure, or a NotFound fault.
func (d DataAdmin) FindErasure(ctx context.Context, text string) (*erasure.Erasure, error) {
	id, err := parseID(text)
	if err != nil {
		return nil, err
	}

	found, err := d.eraser.FindErasure(ctx, id)
	return &found, err
}

// ExportSubject hands over all that is kept of whom the values name, each given as
// path=value, as lines of JSON: events as they are listed, then errors. It tells how many.
func (d DataAdmin) ExportSubject(ctx context.Context, values []string, write func(line []byte) error) (events, errors int, err error) {
	filters, err := parseSubject(values)
	if err != nil {
		return 0, 0, err
	}

	err = d.finder.ReadSubject(ctx, filters, d.readTimeout, func(found []event.Stored, rejections []query.Rejection) error {
		for i := range found {
			if err := write(httpapi.EventJSON(&found[i])); err != nil {
				return err
			}

			events++
		}

		for i := range rejections {
			text, err := httpapi.RejectionJSON(&rejections[i])
			if err == nil {
				err = write(text)
			}

			if err != nil {
				return err
			}

			errors++
		}

		return nil
	})
	return events, errors, err
}

// parseSubject reads values, each given as path=value.
func parseSubject(values []string) ([]query.DataFilter, error) {
	refuse := func(format string, args ...any) ([]query.DataFilter, error) {
		return nil, fault.New(fault.Invalid, fault.CodeInvalidParameter, fmt.Sprintf(format, args...))
	}
	if len(values) == 0 {
		return refuse("say whom it is about: --data user.id=8612")
	}

	var filters []query.DataFilter
	for _, given := range values {
		path, value, ok := strings.Cut(given, "=")
		if !ok || value == "" {
			return refuse("--data is a path and a value, such as user.id=8612")
		}

		steps, err := query.ParseDataPath(path)
		if err != nil {
			return refuse("--data begins with a path such as user.id, with a backslash before each dot of a name: %v", err)
		}

		if slices.ContainsFunc(filters, func(f query.DataFilter) bool { return slices.Equal(f.Path, steps) }) {
			return refuse("--data names %s twice", path)
		}

		filters = append(filters, query.DataFilter{Path: steps, Value: value})
	}

	return filters, nil
}
