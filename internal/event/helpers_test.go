package event_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
)

// members are the members of an event with their JSON values, for tests to change.
type members map[string]string

// text renders a valid event with changes; a member changed to "" is left out.
func text(changes members) string {
	all := members{
		"session_id": `"0190163d-8694-739b-aea5-966c26f8ad91"`,
		"category":   `"page"`,
		"name":       `"view"`,
		"data":       `{}`,
		"timestamp":  `"2025-12-31T12:00:00Z"`,
	}
	maps.Copy(all, changes)
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name] != "" {
			parts = append(parts, `"`+name+`":`+all[name])
		}
	}

	return "{" + strings.Join(parts, ",") + "}"
}

// withData renders an event with a data object of one member, x.
func withData(x string) string { return text(members{"data": `{"x":` + x + `}`}) }

// now is the service's clock in all tests.
func now() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// parse validates a text that can be read as one event.
func parse(t testing.TB, body string) event.Envelope {
	t.Helper()
	rules := event.DefaultRules()
	envelopes, single, err := event.ParseJSON([]byte(body), &rules, now())
	require.NoError(t, err)
	require.True(t, single)
	require.Len(t, envelopes, 1)
	return envelopes[0]
}

// parseBatch validates an array of events that can be divided.
func parseBatch(t testing.TB, body string) []event.Envelope {
	t.Helper()
	rules := event.DefaultRules()
	envelopes, single, err := event.ParseJSON([]byte(body), &rules, now())
	require.NoError(t, err)
	require.False(t, single)
	return envelopes
}

// found lists the violations of an event as "pointer code".
func found(e event.Envelope) []string {
	list := []string{}
	for _, v := range e.Violations {
		list = append(list, v.Pointer+" "+string(v.Code))
	}

	return list
}

// violationsOf returns the violations of one event.
func violationsOf(t testing.TB, body string) []string {
	t.Helper()
	return found(parse(t, body))
}
