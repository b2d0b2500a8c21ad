package reconcile_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/internal/event"
)

// The comparison is independent of the service: every member counts, and in a payload the meaning.
func TestContentIsComparedWithoutTheDigest(t *testing.T) {
	t.Parallel()
	sent := event.Event{
		ID:        uuid.New(),
		SessionID: uuid.New(),
		Category:  "page",
		Name:      "view",
		Timestamp: time.Unix(1_700_000_000, 1000),
		Data:      []byte(`{"n":1.50e2,"m":-2,"list":[1,{"a":null}],"s":"x","b":true}`),
	}

	for name, change := range map[string]func(e *event.Event){
		"nothing": func(*event.Event) {},
		"order of members": func(e *event.Event) {
			e.Data = []byte(`{"b": true, "s": "x", "m": -2, "list": [1, {"a": null}], "n": 150}`)
		},
	} {
		stored := sent
		change(&stored)
		require.True(t, reconcile.SameEvent(&sent, &stored), name)
	}

	for name, change := range map[string]func(e *event.Event){
		"id":        func(e *event.Event) { e.ID = uuid.New() },
		"session":   func(e *event.Event) { e.SessionID = uuid.New() },
		"category":  func(e *event.Event) { e.Category = "pag" },
		"name":      func(e *event.Event) { e.Name = "View" },
		"timestamp": func(e *event.Event) { e.Timestamp = e.Timestamp.Add(time.Microsecond) },
		"a sign":    func(e *event.Event) { e.Data = []byte(`{"n":150,"m":2,"list":[1,{"a":null}],"s":"x","b":true}`) },
		"a number": func(e *event.Event) {
			e.Data = []byte(`{"n":150.0000000000000000001,"m":-2,"list":[1,{"a":null}],"s":"x","b":true}`)
		},
		"a kind":          func(e *event.Event) { e.Data = []byte(`{"n":"150","m":-2,"list":[1,{"a":null}],"s":"x","b":true}`) },
		"a member less":   func(e *event.Event) { e.Data = []byte(`{"n":150,"m":-2,"list":[1,{"a":null}],"s":"x"}`) },
		"another member":  func(e *event.Event) { e.Data = []byte(`{"n":150,"m":-2,"list":[1,{"c":null}],"s":"x","b":true}`) },
		"order of a list": func(e *event.Event) { e.Data = []byte(`{"n":150,"m":-2,"list":[{"a":null},1],"s":"x","b":true}`) },
		"a shorter list":  func(e *event.Event) { e.Data = []byte(`{"n":150,"m":-2,"list":[1],"s":"x","b":true}`) },
		"no object":       func(e *event.Event) { e.Data = []byte(`[]`) },
		"a truth":         func(e *event.Event) { e.Data = []byte(`{"n":150,"m":-2,"list":[1,{"a":null}],"s":"x","b":false}`) },
		"text behind it":  func(e *event.Event) { e.Data = append(append([]byte{}, e.Data...), "{}"...) },
		"not JSON":        func(e *event.Event) { e.Data = []byte(`{`) },
	} {
		stored := sent
		change(&stored)
		require.False(t, reconcile.SameEvent(&sent, &stored), name)
	}
}
