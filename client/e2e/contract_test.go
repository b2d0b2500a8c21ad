package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/client"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func newEvent(session, name string, data any) client.Event {
	return client.Event{EventID: client.NewID(), SessionID: session, Category: "e2e", Name: name, Data: data}
}

// hardEvents are events at the edges of what JSON and the contract allow, each with its
// verdict.
func hardEvents(session string) (events []client.Event, want []client.Status) {
	for _, c := range []struct {
		data any
		want client.Status
	}{
		{nil, client.Stored},
		{json.RawMessage(`{"n":12345678901234567890.1234567890,"e":1e300,"z":-0.0}`), client.Stored},
		{json.RawMessage(`{"text":"\u00fc\n\ud83d\ude00 <b>&"}`), client.Stored},
		{map[string]string{"text": strings.Repeat("x", 60_000)}, client.Stored},
		{map[string]string{"text": strings.Repeat("x", 70_000)}, client.Rejected},
		{json.RawMessage(`{"text":"\u0000"}`), client.Rejected},
		{json.RawMessage(`{"text":"\ud83d"}`), client.Rejected},
		{json.RawMessage(`{"a":1,"a":2}`), client.Rejected},
		{json.RawMessage(`{"n":1e400}`), client.Rejected},
		{json.RawMessage(strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)), client.Rejected},
		{json.RawMessage(`[1]`), client.Rejected},
		{"text", client.Rejected},
		{map[string]any{"text": "invalid \xff in Go"}, client.Stored}, // encoding/json replaces it
	} {
		events = append(events, newEvent(session, "hard", c.data))
		want = append(want, c.want)
	}

	for _, wrong := range []func(*client.Event){
		func(e *client.Event) { e.SessionID = "none" },
		func(e *client.Event) { e.EventID = "none" },
		func(e *client.Event) { e.Name = "" },
		func(e *client.Event) { e.Category = strings.Repeat("x", 129) },
		func(e *client.Event) { e.Timestamp = time.Now().Add(time.Hour) },
		func(e *client.Event) { e.Timestamp = time.Now().AddDate(-11, 0, 0) },
		func(e *client.Event) { e.Timestamp = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		e := newEvent(session, "hard", nil)
		wrong(&e)
		events = append(events, e)
		want = append(want, client.Rejected)
	}

	return events, want
}

// Whatever the payload, an event has a verdict of its own, alone and in a batch.
func TestHardEventsHaveTheirVerdicts(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	c := newClient(t, service.URL, service.Ingest)
	for _, alone := range []bool{false, true} {
		events, want := hardEvents(client.NewID())
		var got []client.Verdict
		for i := range events {
			size := len(events)
			if alone {
				size = 1
			}

			if i%size != 0 {
				continue
			}

			result, err := c.Send(t.Context(), events[i:i+size])
			require.NoError(t, err)
			got = append(got, result.Verdicts...)
		}

		for i, v := range got {
			require.Equal(t, want[i], v.Status, "event %d: %v %+v", i, events[i].Data, v)
			require.Equal(t, events[i].EventID, v.EventID)
			require.Equal(t, v.Status == client.Rejected, len(v.Violations) > 0, "%+v", v)
			require.Equal(t, v.Status == client.Rejected, v.ErrorID != "", "%+v", v)
		}
	}
}

// A Buffer ends with all events, however hard some are.
func TestHardEventsHoldNothingUp(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	for _, batch := range []int{1, 7, 500} {
		events, want := hardEvents(client.NewID())
		wanted, got := map[string]client.Status{}, map[string]client.Status{}
		buffer, err := client.NewBuffer(newClient(t, service.URL, service.Ingest), client.BufferConfig{
			BatchEvents: batch, MaxEventBytes: 100_000, Spool: t.TempDir(),
			OnVerdict: func(e client.Event, v client.Verdict) { got[e.EventID] = v.Status },
			OnError:   func(err error) { t.Error(err) },
		})
		require.NoError(t, err)
		for i, e := range events {
			require.NoError(t, buffer.Enqueue(e))
			wanted[e.EventID] = want[i]
		}

		_, err = buffer.Close(t.Context())
		require.NoError(t, err)
		require.Equal(t, wanted, got)
	}
}

func TestRefusalsOfTheService(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	event := []client.Event{newEvent(client.NewID(), "refused", nil)}
	var refusal *client.Error

	_, err := newClient(t, service.URL, service.Read).Send(t.Context(), event)
	require.ErrorIs(t, err, client.ErrForbidden)
	require.ErrorAs(t, err, &refusal)
	require.NotEmpty(t, refusal.RequestID)
	require.NotEmpty(t, refusal.TraceID)
	require.Equal(t, "forbidden", refusal.Code)
	require.False(t, refusal.Temporary())

	_, err = newClient(t, service.URL, "eye_none").Send(t.Context(), event)
	require.ErrorIs(t, err, client.ErrUnauthorized)

	limits, err := newClient(t, service.URL, service.Ingest).Limits(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1000, limits.BatchEvents)
	require.Equal(t, int64(1<<20), limits.BodyBytes)
	many := make([]client.Event, limits.BatchEvents+1)
	for i := range many {
		many[i] = event[0]
	}

	_, err = newClient(t, service.URL, service.Ingest).Send(t.Context(), many)
	require.ErrorIs(t, err, client.ErrTooLarge)

	for _, err := range newClient(t, service.URL, service.Ingest).Events(t.Context(), client.EventFilter{}) {
		require.ErrorIs(t, err, client.ErrForbidden)
	}

	_, err = newClient(t, service.URL, service.Read).Event(t.Context(), client.NewID())
	require.ErrorIs(t, err, client.ErrNotFound)
	_, err = newClient(t, service.URL, service.Read).Session(t.Context(), client.NewID())
	require.ErrorIs(t, err, client.ErrNotFound)
}

// sendMany sends n events of a session, 10 ms apart, and returns them.
func sendMany(t *testing.T, c *client.Client, session string, n int) []client.Event {
	t.Helper()
	began := time.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond)
	events := make([]client.Event, n)
	for i := range events {
		events[i] = newEvent(session, "read", json.RawMessage(fmt.Sprintf(`{"n":%d,"big":12345678901234567890.12}`, i)))
		events[i].Timestamp = began.Add(time.Duration(i) * 10 * time.Millisecond)
	}

	result, err := c.Send(t.Context(), events)
	require.NoError(t, err)
	require.Equal(t, n, result.Stored)
	return events
}

// What is read is what was sent, page after page.
func TestWhatWasSentIsRead(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	session := client.NewID()
	sent := sendMany(t, newClient(t, service.URL, service.Ingest), session, 25)
	c := newClient(t, service.URL, service.Read)

	var listed []client.StoredEvent
	for event, err := range c.SessionEvents(t.Context(), session, client.EventFilter{PageSize: 10}) {
		require.NoError(t, err)
		listed = append(listed, event)
	}

	require.Len(t, listed, len(sent))
	for i, event := range listed {
		require.Equal(t, sent[i].EventID, event.EventID)
		require.Equal(t, int64(i+1), event.Sequence)
		require.True(t, sent[i].Timestamp.Equal(event.Timestamp), "%v, then %v", sent[i].Timestamp, event.Timestamp)
		require.JSONEq(t, fmt.Sprintf("%s", sent[i].Data), string(event.Data))
		require.Contains(t, string(event.Data), "12345678901234567890.12", "no digit is lost")
		require.Equal(t, "shop", event.Application)
	}

	one, err := c.Event(t.Context(), sent[3].EventID)
	require.NoError(t, err)
	require.Equal(t, listed[3], one)

	var newest []int64
	filter := client.EventFilter{Category: "e2e", Name: "read", Application: "shop", From: sent[10].Timestamp, To: sent[20].Timestamp, PageSize: 3}
	for event, err := range c.Events(t.Context(), filter) {
		require.NoError(t, err)
		newest = append(newest, event.Sequence)
	}

	require.Equal(t, []int64{20, 19, 18, 17, 16, 15, 14, 13, 12, 11}, newest)

	for event, err := range c.Events(t.Context(), client.EventFilter{SessionID: session, Data: map[string]string{"n": "7"}}) {
		require.NoError(t, err)
		require.Equal(t, sent[7].EventID, event.EventID)
	}
}

func TestSessionsStatsAndRejectionsAreRead(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	session := client.NewID()
	sender := newClient(t, service.URL, service.Ingest)
	sent := sendMany(t, sender, session, 5)
	c := newClient(t, service.URL, service.Read)

	whole, err := c.Session(t.Context(), session)
	require.NoError(t, err)
	require.Equal(t, int64(5), whole.EventCount)
	require.True(t, whole.StartedAt.Equal(sent[0].Timestamp))
	require.True(t, whole.LastEventAt.Equal(sent[4].Timestamp))
	for listed, err := range c.Sessions(t.Context(), client.SessionFilter{Application: "shop", From: sent[0].Timestamp}) {
		require.NoError(t, err)
		require.Equal(t, whole, listed)
	}

	day := sent[0].Timestamp.Truncate(24 * time.Hour)
	stats, err := c.Stats(t.Context(), client.StatsQuery{
		GroupBy: []string{"category", "name"}, Interval: client.Day, Fill: true, From: day, To: day.AddDate(0, 0, 2),
	})
	require.NoError(t, err)
	require.Len(t, stats.Buckets, 2)
	require.Equal(t, client.StatsBucket{Start: day, Group: map[string]string{"category": "e2e", "name": "read"}, Count: 5}, stats.Buckets[0])
	require.Zero(t, stats.Buckets[1].Count)

	result, err := sender.Send(t.Context(), []client.Event{newEvent(session, "", nil)})
	require.NoError(t, err)
	rejection, err := c.Rejection(t.Context(), result.Verdicts[0].ErrorID)
	require.NoError(t, err)
	require.Equal(t, "open", rejection.Status)
	require.Equal(t, session, rejection.SessionID)
	require.Contains(t, rejection.Raw, session)
	require.Equal(t, result.Verdicts[0].Violations, rejection.Violations)
	for listed, err := range c.Rejections(t.Context(), client.RejectionFilter{Code: rejection.Code, SessionID: session}) {
		require.NoError(t, err)
		require.Equal(t, rejection, listed)
	}
}

// Who follows the changes gets each event once, across a restart.
func TestChangesAreFollowed(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	session := client.NewID()
	sender := newClient(t, service.URL, service.Ingest)
	c := newClient(t, service.URL, service.ReadAll)
	cursor := ""
	seen := map[string]bool{}
	for range 3 {
		sent := sendMany(t, sender, session, 12)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		for page, err := range c.Changes(ctx, client.ChangesQuery{After: cursor, Category: "e2e", PageSize: 5, Follow: 20 * time.Millisecond}) {
			require.NoError(t, err)
			require.Nil(t, page.Restarted)
			cursor = page.Next
			for _, event := range page.Events {
				require.False(t, seen[event.EventID], "it comes twice")
				seen[event.EventID] = true
			}

			if seen[sent[11].EventID] {
				break
			}
		}

		cancel()
		for _, event := range sent {
			require.True(t, seen[event.EventID], "it is left out")
		}
	}

	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	for _, err := range c.Changes(ended, client.ChangesQuery{Follow: time.Hour}) {
		require.Error(t, err)
	}
}
