package client

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// RejectionFilter says which rejections are listed. All of its fields must fit; zero values fit
// all.
type RejectionFilter struct {
	// Code is a reason, such as "schema_violation".
	Code string
	// Status is "open", "replayed" or "discarded".
	Status string

	SessionID, Category, Name, Application string
	// From is inclusive, To exclusive; both are about ReceivedAt.
	From, To time.Time
	// PageSize is how many rejections a request reads, up to 1,000, which is the default.
	PageSize int
}

// Rejection is an event that was refused, as the service keeps it: what of it could be read,
// and why it was refused. What could not be read is empty.
type Rejection struct {
	ErrorID     string    `json:"error_id"`
	ReceivedAt  time.Time `json:"received_at"`
	Application string    `json:"application"`
	RequestID   string    `json:"request_id"`
	// Code is the first of the reasons, Violations are all.
	Code       string      `json:"code"`
	Violations []Violation `json:"errors"`
	EventID    string      `json:"event_id"`
	SessionID  string      `json:"session_id"`
	Category   string      `json:"category"`
	Name       string      `json:"name"`
	Timestamp  time.Time   `json:"timestamp"`
	// Raw is the text that was sent, or its beginning if RawTruncated. It is empty if
	// RawWithheld: the text may contain what was erased or must not be kept.
	Raw          string `json:"raw"`
	RawTruncated bool   `json:"raw_truncated"`
	RawWithheld  bool   `json:"raw_withheld"`
	// Status is "open", "replayed" or "discarded".
	Status string `json:"status"`
}

// Rejection reads a rejection by the ErrorID of a Verdict. Without it the error matches
// ErrNotFound.
func (c *Client) Rejection(ctx context.Context, errorID string) (Rejection, error) {
	var rejection Rejection
	err := c.getByID(ctx, "/v1/errors/", errorID, &rejection)
	return rejection, err
}

// Rejections lists rejections, the newest first. An error ends the list.
func (c *Client) Rejections(ctx context.Context, filter RejectionFilter) iter.Seq2[Rejection, error] {
	query := url.Values{}
	setText(query, "code", filter.Code)
	setText(query, "status", filter.Status)
	setText(query, "session_id", filter.SessionID)
	setText(query, "category", filter.Category)
	setText(query, "name", filter.Name)
	setText(query, "application", filter.Application)
	setTime(query, "from", filter.From)
	setTime(query, "to", filter.To)
	setLimit(query, filter.PageSize)
	return readPages(query, func(query url.Values) ([]Rejection, string, error) {
		var page struct {
			Errors     []Rejection `json:"errors"`
			NextCursor string      `json:"next_cursor"`
		}
		err := c.get(ctx, "/v1/errors", query, &page)
		return page.Errors, page.NextCursor, err
	})
}
