package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Status is the outcome of one event. Each is final: sending the event again changes nothing.
type Status string

// The outcomes.
const (
	// Stored says that the event is durable, in its place in its session.
	Stored Status = "stored"
	// Duplicate says that the same event was stored before, by an earlier attempt.
	Duplicate Status = "duplicate"
	// Conflict says that another event was stored under the same id.
	Conflict Status = "conflict"
	// Rejected says that the event is not valid. The service keeps it among its rejections.
	Rejected Status = "rejected"
)

// Verdict is the outcome of one event.
type Verdict struct {
	// EventID is the id of the event that was sent.
	EventID string
	Status  Status
	// Sequence is the event's place in its session, with Stored and Duplicate.
	Sequence int64
	// EventTypeVersion is the version of the event type that validated the event; zero if its
	// type is not registered.
	EventTypeVersion int
	// Violations say why, with Rejected and Conflict.
	Violations []Violation
	// ErrorID is the id of the kept rejection (Client.Rejection). It is empty if the rejection
	// was only counted, because the application had too many in the hour.
	ErrorID string
}

// Durable reports whether the event is stored, by this attempt or an earlier one.
func (v Verdict) Durable() bool { return v.Status == Stored || v.Status == Duplicate }

// Result has the verdicts on the events of a request.
type Result struct {
	// Verdicts are in the order of the events.
	Verdicts []Verdict
	// Stored, Duplicates, Conflicts and Rejected count them.
	Stored, Duplicates, Conflicts, Rejected int
}

func (r *Result) add(v Verdict) {
	r.Verdicts = append(r.Verdicts, v)
	switch v.Status {
	case Stored:
		r.Stored++
	case Duplicate:
		r.Duplicates++
	case Conflict:
		r.Conflicts++
	case Rejected:
		r.Rejected++
	}
}

// Send sends events in one request and returns the verdict on each. A nil error means that
// every event has a verdict, not that every event is stored: one event's fault never touches
// another, so look at the counts of the Result.
//
// Events without an EventID or a Timestamp get them in the slice that was passed, before
// anything is sent. So a call that failed can be repeated with the same slice: no event is
// stored twice, whatever the outcome of the first attempt.
//
// An error is an *Error if the service refused the request as a whole, and matches
// ErrOutcomeUnknown if the events may nevertheless have been stored.
//
// Send does not split: past the limits of the service (by default 1,000 events and 1 MiB,
// Client.Limits) it returns an error that matches ErrTooLarge, and nothing is stored. A Buffer
// makes requests of the right size. Without events nothing is sent.
func (c *Client) Send(ctx context.Context, events []Event) (Result, error) {
	encoded := make([][]byte, len(events))
	ids := make([]string, len(events))
	for i := range events {
		events[i].complete()
		ids[i] = events[i].EventID
		text, err := events[i].encode()
		if err != nil {
			return Result{}, err
		}

		encoded[i] = text
	}

	return c.post(ctx, ids, encoded)
}

// post sends encoded events: one alone as an object, several as an array.
func (c *Client) post(ctx context.Context, ids []string, encoded [][]byte) (Result, error) {
	if len(encoded) == 0 {
		return Result{}, nil
	}

	body := encoded[0]
	if len(encoded) > 1 {
		body = append(append([]byte("["), bytes.Join(encoded, []byte(","))...), ']')
	}

	a, err := c.exchange(ctx, http.MethodPost, "/v1/events", nil, body)
	switch {
	case wasNotSent(err):
		return Result{}, fmt.Errorf("%w; nothing was sent", err)
	case err != nil:
		return Result{}, fmt.Errorf("%w; %w", err, ErrOutcomeUnknown)
	}

	results, err := a.readResults(len(encoded) == 1)
	if err != nil {
		return Result{}, err
	}

	return collectVerdicts(ids, results)
}

// wireVerdict holds the members that a verdict has alone, in a batch, and in a problem.
type wireVerdict struct {
	EventID          string      `json:"event_id"`
	Sequence         int64       `json:"sequence"`
	EventTypeVersion int         `json:"event_type_version"`
	Violations       []Violation `json:"errors"`
	ErrorID          string      `json:"error_id"`
}

type wireResult struct {
	wireVerdict
	Status Status `json:"status"`
}

// readResults reads the verdicts of an answer: success or refusal, of one event or of many.
func (a *answer) readResults(single bool) ([]wireResult, error) {
	switch a.status {
	case http.StatusOK, http.StatusCreated, http.StatusMultiStatus:
		if single {
			var one wireResult
			err := json.Unmarshal(a.body, &one)
			return []wireResult{one}, wrapUnreadable(err)
		}

		var batch struct {
			Results []wireResult `json:"results"`
		}
		err := json.Unmarshal(a.body, &batch)
		return batch.Results, wrapUnreadable(err)
	}

	p := a.readProblem()
	switch {
	case !single && a.status == http.StatusBadRequest && len(p.Results) > 0:
		return p.Results, nil
	case single && a.status == http.StatusBadRequest && p.Code == "invalid_event":
		return []wireResult{{wireVerdict: p.wireVerdict, Status: Rejected}}, nil
	case single && a.status == http.StatusConflict && p.Code == "event_id_conflict":
		return []wireResult{{wireVerdict: p.wireVerdict, Status: Conflict}}, nil
	}

	e := a.toError()
	success := e.Status < http.StatusMultipleChoices // of something before the service, such as a 202 of a queue
	e.unknownOutcome = success || e.Status == http.StatusRequestTimeout || e.Status >= http.StatusInternalServerError
	return nil, e
}

func wrapUnreadable(err error) error {
	if err == nil {
		return nil
	}

	return fmt.Errorf("client: the answer has no verdicts that can be read: %w; %w", err, ErrOutcomeUnknown)
}

// collectVerdicts checks that an answer has one verdict for each event, so that the answer of
// something else, such as the login page of a network, is never taken for a promise.
func collectVerdicts(ids []string, results []wireResult) (Result, error) {
	if len(results) != len(ids) {
		return Result{}, wrapUnreadable(fmt.Errorf("%d verdicts on %d events", len(results), len(ids)))
	}

	var collected Result
	for i, r := range results {
		switch r.Status {
		case Stored, Duplicate, Conflict, Rejected:
		default:
			return Result{}, wrapUnreadable(fmt.Errorf("the verdict on event %s is %q", ids[i], r.Status))
		}

		if r.EventID != "" && !strings.EqualFold(r.EventID, ids[i]) {
			return Result{}, wrapUnreadable(errors.New("the verdicts are on other events"))
		}

		collected.add(Verdict{
			EventID:          ids[i],
			Status:           r.Status,
			Sequence:         r.Sequence,
			EventTypeVersion: r.EventTypeVersion,
			Violations:       r.Violations,
			ErrorID:          r.ErrorID,
		})
	}

	return collected, nil
}
