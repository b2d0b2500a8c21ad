package client

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// timeLayout has microseconds, which is what the service keeps; further digits are cut.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// Event is something that happened, as it is sent.
type Event struct {
	// EventID is the UUID under which the event is stored at most once. If it is empty, Send
	// and Enqueue make one.
	EventID string
	// SessionID is the UUID of the session that the event belongs to. The application makes
	// it, for example with NewID, and several applications may use the same one.
	SessionID string
	// Category and Name say what happened; each has 1 to 128 characters.
	Category, Name string
	// Data is the payload: whatever encoding/json makes an object of, such as a map, a struct
	// or a json.RawMessage. Nil is an empty object.
	Data any
	// Timestamp is when it happened. The zero time becomes the time of Send or Enqueue.
	Timestamp time.Time
}

// wireEvent is an event in the service's JSON.
type wireEvent struct {
	EventID   string          `json:"event_id"`
	SessionID string          `json:"session_id"`
	Category  string          `json:"category"`
	Name      string          `json:"name"`
	Data      json.RawMessage `json:"data"`
	Timestamp string          `json:"timestamp"`
}

// MarshalJSON returns the event as it is sent.
func (e Event) MarshalJSON() ([]byte, error) { return e.encode() }

// UnmarshalJSON reads an event as it is sent. Data becomes a json.RawMessage.
func (e *Event) UnmarshalJSON(text []byte) error {
	var wire wireEvent
	if err := json.Unmarshal(text, &wire); err != nil {
		return fmt.Errorf("client: read an event: %w", err)
	}

	at, err := time.Parse(time.RFC3339, wire.Timestamp)
	if err != nil {
		return fmt.Errorf("client: read an event: %w", err)
	}

	e.EventID = wire.EventID
	e.SessionID = wire.SessionID
	e.Category = wire.Category
	e.Name = wire.Name
	e.Data = wire.Data
	e.Timestamp = at
	return nil
}

// complete gives the event the id and the time that it lacks. Both belong to the content by
// which the service recognises a retry, so they are set once, before the first attempt.
func (e *Event) complete() {
	if e.EventID == "" {
		e.EventID = NewID()
	}

	if e.Timestamp.IsZero() {
		e.Timestamp = now()
	}
}

func (e *Event) encode() ([]byte, error) {
	data, err := encodeJSON(e.Data)
	if err != nil {
		return nil, fmt.Errorf("client: the data of event %s cannot be written as JSON: %w", e.EventID, err)
	}

	// The service could not find the end of such an event, and would refuse its whole batch.
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("client: the data of event %s is not valid UTF-8", e.EventID)
	}

	if string(data) == "null" {
		data = []byte("{}")
	}

	at := e.Timestamp.UTC()
	if at.Year() < 0 || at.Year() > 9999 {
		return nil, fmt.Errorf("client: the timestamp of event %s is in the year %d, which RFC 3339 cannot write", e.EventID, at.Year())
	}

	return encodeJSON(wireEvent{
		EventID:   e.EventID,
		SessionID: e.SessionID,
		Category:  e.Category,
		Name:      e.Name,
		Data:      data,
		Timestamp: at.Format(timeLayout),
	})
}

// encodeJSON is json.Marshal without the escapes for HTML, which would count against the size
// of an event.
func encodeJSON(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err //nolint:wrapcheck // callers say what it was
	}

	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

// NewID returns a new UUIDv7: the time in milliseconds, so that ids made one after the other
// lie close to each other in an index, and 74 random bits.
func NewID() string {
	const (
		version7 = 0x70
		variant  = 0x80
	)
	var id [16]byte
	_, _ = rand.Read(id[6:]) // it never fails
	var millis [8]byte
	binary.BigEndian.PutUint64(millis[:], uint64(now().UnixMilli()))
	copy(id[:6], millis[2:])
	id[6] = version7 | id[6]&0x0f
	id[8] = variant | id[8]&0x3f
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// isID reports whether a text is a UUID in its usual form of 36 characters.
func isID(text string) bool {
	const length = 36
	if len(text) != length {
		return false
	}

	for i, r := range text {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		digit := r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F'
		if dash != (r == '-') || dash == digit {
			return false
		}
	}

	return true
}
