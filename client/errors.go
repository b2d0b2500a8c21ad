package client

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The errors that callers distinguish with errors.Is.
var (
	// ErrOutcomeUnknown says that events may have been stored or not: the answer was lost, or
	// cannot be read, or says so. Sending the same events again is safe, because they have ids:
	// those that were stored get the verdict Duplicate.
	ErrOutcomeUnknown = errors.New("the outcome is unknown, and sending the same events again is safe")
	// ErrUnauthorized says that the key is unknown, expired or revoked.
	ErrUnauthorized = errors.New("the service does not accept the key")
	// ErrForbidden says that the key does not have the scope.
	ErrForbidden = errors.New("the key may not do this")
	// ErrNotFound says that there is no such event, session or rejection, or that the key may
	// not see it.
	ErrNotFound = errors.New("not found")
	// ErrTooLarge says that an event is larger than a Buffer takes, or a request larger than
	// the service, or a proxy before it, does.
	ErrTooLarge = errors.New("too large")
	// ErrFull says that a Buffer holds as much as it may. The event was not taken.
	ErrFull = errors.New("the buffer is full")
	// ErrClosed says that a Buffer was closed. An event that is enqueued was not taken.
	ErrClosed = errors.New("the buffer is closed")
	// ErrSpoolLocked says that another Buffer, of this process or of another one, uses the
	// directory of the spool.
	ErrSpoolLocked = errors.New("another buffer uses the directory of the spool")
	// ErrSpoolDamaged says that a file of the spool has text that was changed or cut behind the
	// Buffer's back: events are lost, and the others are sent.
	ErrSpoolDamaged = errors.New("the spool is damaged")
)

// Error is an answer of the service that refuses the request as a whole. Which events of a
// request were refused is not an error; the Result of Send says it.
type Error struct {
	// Status is the status of HTTP.
	Status int
	// Code is the service's stable name of the reason, such as "rate_limited". It is empty if
	// something before the service answered: a proxy, a firewall.
	Code string
	// Title and Detail say for people what is wrong and what to do.
	Title, Detail string
	// Violations are the places that are wrong, if the service named them.
	Violations []Violation
	// RequestID is in the service's log, next to what happened.
	RequestID string
	// TraceID is the W3C trace id of the request.
	TraceID string
	// RetryAfter is how long the service asks to wait; zero if it does not say.
	RetryAfter time.Duration

	// unknownOutcome is set if events of the request may nevertheless have been stored.
	unknownOutcome bool
}

// Error returns the status, the code, the detail and the request's id in one line.
func (e *Error) Error() string {
	parts := []string{"the service answered " + strconv.Itoa(e.Status)}
	if e.Code != "" {
		parts[0] += " (" + e.Code + ")"
	}

	switch {
	case e.Detail != "":
		parts = append(parts, e.Detail)
	case e.Title != "":
		parts = append(parts, e.Title)
	default:
		parts = append(parts, http.StatusText(e.Status))
	}

	for _, v := range e.Violations {
		parts = append(parts, v.String())
	}

	text := strings.Join(parts, ": ")
	if e.RequestID != "" {
		text += fmt.Sprintf(" [request %s]", e.RequestID)
	}

	return text
}

// Temporary reports whether the same request can succeed later without a fix by
// something: the service is overloaded, restarting or unreachable behind a proxy, or the
// application sends more than it may (408, 425, 429 and from 500 on).
func (e *Error) Temporary() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}

	return e.Status >= http.StatusInternalServerError
}

// Is makes errors.Is find the errors of this package by the status.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrOutcomeUnknown:
		return e.unknownOutcome
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized
	case ErrForbidden:
		return e.Status == http.StatusForbidden
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrTooLarge:
		return e.Status == http.StatusRequestEntityTooLarge
	}

	return false
}

// Violation is one thing that is wrong at one place.
type Violation struct {
	// Pointer is an RFC 6901 JSON Pointer into the event; empty for the whole.
	Pointer string `json:"pointer"`
	// Parameter is the parameter of the query, where that is the place.
	Parameter string `json:"parameter"`
	// Code is the service's stable name of the reason, such as "missing_field".
	Code string `json:"code"`
	// Detail says for people what is wrong and how to correct it.
	Detail string `json:"detail"`
}

// String returns the place and what is wrong there.
func (v Violation) String() string {
	place := v.Pointer + v.Parameter
	if place == "" || strings.HasPrefix(v.Detail, place+" ") {
		return v.Detail
	}

	return place + ": " + v.Detail
}
