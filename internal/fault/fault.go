package fault

import (
	"errors"
	"time"
)

// Kind is the coarse class of a fault. It alone decides the HTTP status.
type Kind uint8

// The kinds. The zero Kind is Internal, so that a forgotten kind is never shown
// to a caller as if it were the caller's mistake.
const (
	// Internal is a bug. Its cause is logged and never shown.
	Internal Kind = iota
	// Invalid is input that can never be right as it was sent.
	Invalid
	// Unauthenticated is a request without a valid key.
	Unauthenticated
	// Forbidden is a valid key that may not do this.
	Forbidden
	// NotFound is a resource that does not exist, or whose existence this key may not
	// learn.
	NotFound
	// MethodNotAllowed is an existing path that was requested with the wrong method.
	MethodNotAllowed
	// NotAcceptable is an Accept header that no representation satisfies.
	NotAcceptable
	// SlowRequest is a request whose body did not arrive in time.
	SlowRequest
	// Conflict is input that contradicts what is stored.
	Conflict
	// PreconditionFailed is an If-Match that names another version.
	PreconditionFailed
	// TooLarge is a body or a batch past its limit.
	TooLarge
	// Unsupported is a media type or content encoding that is not supported.
	Unsupported
	// HTTPVersion is an answer that the request's version of HTTP does not allow.
	HTTPVersion
	// Throttled is an application over its own rate limit: send the request again
	// later.
	Throttled
	// Unavailable is an overload of the service or an outage of the store: send the
	// request again later.
	Unavailable
)

// Violation is one error at one place of the input.
type Violation struct {
	// Parameter names a query parameter, if that is the place.
	Parameter string `json:"parameter,omitempty"`
	// Pointer is an RFC 6901 JSON Pointer into the event or document; "" is the whole
	// document.
	Pointer string `json:"pointer"`
	// Code is stable and listed in this package.
	Code Code `json:"code"`
	// Detail describes the error and its fix.
	Detail string `json:"detail"`
}

// Error is a fault. Its exported fields may be shown to the caller; its cause
// never is. An Error is not changed after it was returned.
type Error struct {
	Kind       Kind
	Code       Code
	Detail     string
	Violations []Violation
	// RetryAfter is the time after which a retry is worthwhile. Zero means never.
	// Throttled and Unavailable faults always carry at least one second.
	RetryAfter time.Duration
	cause      error
}

// New makes a fault with a message that is safe to show.
func New(kind Kind, code Code, detail string) *Error {
	return &Error{Kind: kind, Code: code, Detail: detail}
}

// Wrap makes a fault that keeps its private cause for logs and for errors.Is.
func Wrap(cause error, kind Kind, code Code, detail string) *Error {
	return &Error{Kind: kind, Code: code, Detail: detail, cause: cause}
}

// InvalidAt makes an Invalid fault with a single violation that has the same detail.
func InvalidAt(code Code, pointer, detail string) *Error {
	return &Error{
		Kind:       Invalid,
		Code:       code,
		Detail:     detail,
		Violations: []Violation{{Pointer: pointer, Code: code, Detail: detail}},
	}
}

// NewUnavailable makes an Unavailable fault whose request is worth retrying after the
// given time.
func NewUnavailable(cause error, code Code, detail string, retryAfter time.Duration) *Error {
	return &Error{
		Kind:       Unavailable,
		Code:       code,
		Detail:     detail,
		RetryAfter: max(retryAfter, time.Second),
		cause:      cause,
	}
}

// Error returns code, detail and cause: the text is for logs, not for callers.
func (e *Error) Error() string {
	text := string(e.Code)
	if e.Detail != "" {
		text += ": " + e.Detail
	}

	if e.cause != nil {
		text += ": " + e.cause.Error()
	}

	return text
}

// Unwrap returns the private cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// As finds the fault in an error chain.
func As(err error) (*Error, bool) { return errors.AsType[*Error](err) }

// Is reports whether an error chain holds a fault with this code.
func Is(err error, code Code) bool {
	f, ok := As(err)
	return ok && f.Code == code
}
