package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"time"
)

// StoredEvent is an event as it is read.
type StoredEvent struct {
	EventID   string `json:"event_id"`
	SessionID string `json:"session_id"`
	// Sequence is the event's place in its session: 1, 2, 3, ... in the order in which events
	// were stored.
	Sequence int64  `json:"sequence"`
	Category string `json:"category"`
	Name     string `json:"name"`
	// Data is the payload as it was sent. Its numbers have all their digits; encoding/json
	// keeps them with a json.Decoder that uses UseNumber.
	Data json.RawMessage `json:"data"`
	// Timestamp is when it happened, ReceivedAt when the service had received it: in UTC, to
	// the microsecond.
	Timestamp  time.Time `json:"timestamp"`
	ReceivedAt time.Time `json:"received_at"`
	// Application is the name of the application that sent it.
	Application string `json:"application"`
	// EventTypeVersion is the version of the event type that validated it; zero if its type
	// was not registered.
	EventTypeVersion int `json:"event_type_version"`
	// Violations are what an event type that only observes objects to.
	Violations []Violation `json:"violations"`
}

// Order is the direction of a list of events, by Timestamp and then Sequence.
type Order string

// The directions. Without one, lists begin with the newest event, and those of a session with
// the oldest.
const (
	OldestFirst Order = "asc"
	NewestFirst Order = "desc"
)

// EventFilter says which events are listed. All of its fields must fit; zero values fit all.
type EventFilter struct {
	SessionID, Category, Name, Application string
	// From is inclusive, To exclusive; both are about Timestamp.
	From, To time.Time
	// Data has values that the payload must have, by their path: {"order.id": "8612"}.
	Data map[string]string
	// Order is the direction.
	Order Order
	// PageSize is how many events a request reads, up to 1,000, which is the default.
	PageSize int
}

func (f *EventFilter) toQuery() url.Values {
	query := url.Values{}
	setText(query, "session_id", f.SessionID)
	setText(query, "category", f.Category)
	setText(query, "name", f.Name)
	setText(query, "application", f.Application)
	setTime(query, "from", f.From)
	setTime(query, "to", f.To)
	setText(query, "order", string(f.Order))
	setLimit(query, f.PageSize)
	for path, value := range f.Data {
		query.Set("data."+path, value)
	}

	return query
}

// Event reads an event. Without it, or if the key may not see it, the error matches ErrNotFound.
func (c *Client) Event(ctx context.Context, id string) (StoredEvent, error) {
	var event StoredEvent
	err := c.getByID(ctx, "/v1/events/", id, &event)
	return event, err
}

// Events lists events, page after page, while new ones may arrive: each event that was there at
// the beginning is listed once. An error ends the list.
//
//	for event, err := range c.Events(ctx, client.EventFilter{Category: "order"}) {
func (c *Client) Events(ctx context.Context, filter EventFilter) iter.Seq2[StoredEvent, error] {
	return c.listEvents(ctx, "/v1/events", filter.toQuery())
}

// SessionEvents lists the events of a session, the oldest first unless the filter says
// otherwise. The filter's SessionID does not matter.
func (c *Client) SessionEvents(ctx context.Context, sessionID string, filter EventFilter) iter.Seq2[StoredEvent, error] {
	if !isID(sessionID) {
		return failList[StoredEvent](fmt.Errorf("client: %q is not a UUID", sessionID))
	}

	filter.SessionID = ""
	return c.listEvents(ctx, "/v1/sessions/"+sessionID+"/events", filter.toQuery())
}

func (c *Client) listEvents(ctx context.Context, path string, query url.Values) iter.Seq2[StoredEvent, error] {
	return readPages(query, func(query url.Values) ([]StoredEvent, string, error) {
		var page struct {
			Events     []StoredEvent `json:"events"`
			NextCursor string        `json:"next_cursor"`
		}
		err := c.get(ctx, path, query, &page)
		return page.Events, page.NextCursor, err
	})
}

// Session is a session as a whole, over all applications.
type Session struct {
	SessionID string `json:"session_id"`
	// StartedAt and LastEventAt are the times of its earliest and latest event; zero if all of
	// its events were erased.
	StartedAt   time.Time `json:"started_at"`
	LastEventAt time.Time `json:"last_event_at"`
	EventCount  int64     `json:"event_count"`
	// Applications are the names of those that sent its events.
	Applications []string `json:"applications"`
}

// SessionFilter says which sessions are listed; zero values fit all.
type SessionFilter struct {
	Application string
	// From is inclusive, To exclusive; both are about StartedAt.
	From, To time.Time
	// PageSize is how many sessions a request reads, up to 1,000, which is the default.
	PageSize int
}

// Session reads a session. Without it, or if the key may not see it, the error matches
// ErrNotFound.
func (c *Client) Session(ctx context.Context, id string) (Session, error) {
	var session Session
	err := c.getByID(ctx, "/v1/sessions/", id, &session)
	return session, err
}

// Sessions lists sessions, those that began last first. An error ends the list.
func (c *Client) Sessions(ctx context.Context, filter SessionFilter) iter.Seq2[Session, error] {
	query := url.Values{}
	setText(query, "application", filter.Application)
	setTime(query, "from", filter.From)
	setTime(query, "to", filter.To)
	setLimit(query, filter.PageSize)
	return readPages(query, func(query url.Values) ([]Session, string, error) {
		var page struct {
			Sessions   []Session `json:"sessions"`
			NextCursor string    `json:"next_cursor"`
		}
		err := c.get(ctx, "/v1/sessions", query, &page)
		return page.Sessions, page.NextCursor, err
	})
}

// Limits are the limits of the service.
type Limits struct {
	// BodyBytes and BatchEvents bound a request, EventBytes the JSON of one event.
	BodyBytes   int64 `json:"body_bytes"`
	BatchEvents int   `json:"batch_events"`
	EventBytes  int   `json:"event_bytes"`
	// JSONDepth, NumberDigits and NameLength bound what is inside an event.
	JSONDepth    int `json:"json_depth"`
	NumberDigits int `json:"number_digits"`
	NameLength   int `json:"name_length"`
	// PageLimit bounds a page of a list.
	PageLimit int `json:"page_limit"`
}

// Limits reads the limits of the service. Any key will do.
func (c *Client) Limits(ctx context.Context) (Limits, error) {
	var limits Limits
	err := c.get(ctx, "/v1/limits", nil, &limits)
	return limits, err
}
