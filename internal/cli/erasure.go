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

// UnfinishedError means that an erasure has begun and that its caller no longer waits. A
// running service finishes it.
type UnfinishedError struct {
	ID    uuid.UUID
	cause error
}

// Error implements error.
func (e *UnfinishedError) Error() string {
	why := "interrupted"
	if !errors.Is(e.cause, context.Canceled) {
		why = fmt.Sprintf("not finished yet (%v)", e.cause)
	}

	return fmt.Sprintf("%s: any service that runs on this database continues erasure %s; see its progress with: theeye erasure %s", why, e.ID, e.ID)
}

// Unwrap returns the reason why the caller no longer waits.
func (e *UnfinishedError) Unwrap() error { return e.cause }

// ErasedSession counts the erased rows of a session.
type ErasedSession struct {
	ID        uuid.UUID `json:"session_id"`
	ErasureID uuid.UUID `json:"erasure_id"`
	erasure.Counts
}

// EraseSession erases a session with its events and its errors. Later events of the session
// are rejected. It calls progress after each step. It returns a NotFound fault if nothing is
// stored of the session, and UnfinishedError when ctx ends.
func (d DataAdmin) EraseSession(ctx context.Context, text string, progress func(erasure.Erasure)) (ErasedSession, error) {
	id, err := parseID(text)
	if err != nil {
		return ErasedSession{}, err
	}

	finished, err := d.runErasure(ctx, erasure.Request{SessionIDs: []uuid.UUID{id}, MustExist: true}, progress)
	return ErasedSession{id, finished.ID, finished.Counts}, err
}

// EraseSubject erases all events and errors whose payloads have all values, each given as
// path=value. It calls progress after each step. It returns UnfinishedError when ctx ends.
func (d DataAdmin) EraseSubject(ctx context.Context, values []string, progress func(erasure.Erasure)) (*erasure.Erasure, error) {
	filters, err := parseSubject(values)
	if err != nil {
		return nil, err
	}

	var request erasure.Request
	for _, f := range filters {
		request.Values = append(request.Values, erasure.Value{Path: f.Path.String(), Steps: f.Path, Text: f.Value})
	}

	finished, err := d.runErasure(ctx, request, progress)
	if err == nil && finished.Events == 0 && finished.Rejections == 0 {
		err = fmt.Errorf("%w: check the spelling of the path and the value; see the receipt with: theeye erasure %s", errNoMatch, finished.ID)
	}

	return &finished, err
}

// errNoMatch means that an erasure found nothing, for example because of a misspelt path.
var errNoMatch = errors.New("no stored data has these values")

func (d DataAdmin) runErasure(ctx context.Context, request erasure.Request, progress func(erasure.Erasure)) (erasure.Erasure, error) {
	begun, err := d.eraser.BeginErasure(ctx, request)
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

// ExportSubject writes all data stored about the person whom the values name, each given as
// path=value, as lines of JSON: events as the API lists them, then errors. It returns their
// numbers.
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

// parseSubject parses values, each given as path=value.
func parseSubject(values []string) ([]query.DataFilter, error) {
	invalid := func(format string, args ...any) ([]query.DataFilter, error) {
		return nil, fault.New(fault.Invalid, fault.CodeInvalidParameter, fmt.Sprintf(format, args...))
	}
	if len(values) == 0 {
		return invalid("--data is required, such as --data user.id=8612")
	}

	var filters []query.DataFilter
	for _, given := range values {
		path, value, ok := strings.Cut(given, "=")
		if !ok || value == "" {
			return invalid("--data must be a path and a value, such as user.id=8612")
		}

		steps, err := query.ParseDataPath(path)
		if err != nil {
			return invalid("--data must begin with a path such as user.id, with a backslash before each dot of a name: %v", err)
		}

		if slices.ContainsFunc(filters, func(f query.DataFilter) bool { return slices.Equal(f.Path, steps) }) {
			return invalid("--data names %s twice", path)
		}

		filters = append(filters, query.DataFilter{Path: steps, Value: value})
	}

	return filters, nil
}
