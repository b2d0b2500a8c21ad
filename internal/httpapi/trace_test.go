package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

const (
	clientTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	clientParent = "00-" + clientTrace + "-00f067aa0ba902b7-01"
)

// stage is a stage of an event's trace.
type stage struct {
	Stage      string     `json:"stage"`
	At         *time.Time `json:"at"`
	DurationMS *float64   `json:"duration_ms"`
}

type eventTrace struct {
	TraceID *string  `json:"trace_id"`
	Stages  []stage  `json:"stages"`
	TotalMS *float64 `json:"total_ms"`
}

func readTrace(t *testing.T, c *apptest.Client, event string) (trace eventTrace) {
	t.Helper()
	answer := c.Do(t, http.MethodGet, event+"/trace", "")
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	require.NoError(t, json.Unmarshal(answer.Body, &trace))
	return trace
}

// requireWhole checks that a trace has every stage, each of which begins at the end of the last
// one.
func requireWhole(t *testing.T, trace eventTrace) {
	t.Helper()
	require.NotNil(t, trace.TotalMS)
	names, sum := []string{}, 0.0
	for i, s := range trace.Stages {
		names = append(names, s.Stage)
		require.NotNil(t, s.At, s.Stage)
		require.GreaterOrEqual(t, *s.DurationMS, 0.0)
		sum += *s.DurationMS
		if i > 0 {
			between := s.At.Sub(*trace.Stages[i-1].At)
			require.InDelta(t, between.Seconds()*1000, *s.DurationMS, 0.0015, "a stage begins where the last one ended")
		}
	}

	require.Equal(t, []string{"received", "judged", "waited", "committed"}, names)
	require.InDelta(t, sum, *trace.TotalMS, 0.0015)
	require.Positive(t, *trace.Stages[3].DurationMS, "no commit takes no time")
}

// The trace of an event can be read at once, later, and from another replica.
func TestHowAnEventCameIn(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	other := apptest.StartOn(t, s.Database, nil)
	answer := s.Do(t, http.MethodPost, "/v1/events", newEvent(t, newID()), "traceparent", clientParent)
	require.Equal(t, http.StatusCreated, answer.Status)
	path := answer.Header.Get("Location")
	atOnce := readTrace(t, s.Client, path)
	requireWhole(t, atOnce)
	require.Equal(t, clientTrace, *atOnce.TraceID)
	stored := mustGet(t, s.Client, path)
	received, err := time.Parse(time.RFC3339Nano, at[string](t, stored, "received_at"))
	require.NoError(t, err)
	require.True(t, received.Equal(*atOnce.Stages[0].At))

	require.Eventually(t, func() bool { return readTrace(t, other.Client, path).TotalMS != nil }, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, atOnce, readTrace(t, other.Client, path))
	require.Eventually(t, func() bool {
		var rows int
		err := s.Database.Pool(t).QueryRow(t.Context(), "select count(*) from group_timing").Scan(&rows)
		return err == nil && rows == 1
	}, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, atOnce, readTrace(t, s.Client, path), "the stored trace is the same")

	// An edit does not change the trace, also when it moves the event.
	edited := s.Do(t, http.MethodPatch, path, `{"timestamp":"2020-02-03T04:05:06Z","name":"edited"}`)
	require.Equal(t, http.StatusOK, edited.Status, "%s", edited.Body)
	require.Equal(t, atOnce, readTrace(t, s.Client, path))

	// A trace that was not stored is not invented.
	_, err = s.Database.Pool(t).Exec(t.Context(), "delete from group_timing")
	require.NoError(t, err)
	without := readTrace(t, s.Client, path)
	require.Equal(t, atOnce.Stages[:3], without.Stages[:3])
	require.Equal(t, stage{Stage: "committed"}, without.Stages[3])
	require.Nil(t, without.TotalMS)
	_, err = s.Database.Pool(t).Exec(t.Context(), "update event set trace_id = null, judged_us = null, group_id = null")
	require.NoError(t, err)
	old := readTrace(t, s.Client, path)
	require.Nil(t, old.TraceID)
	require.Equal(t, []stage{{Stage: "judged"}, {Stage: "waited"}, {Stage: "committed"}}, old.Stages[1:])
	requireProblem(t, s.Do(t, http.MethodGet, "/v1/events/"+newID()+"/trace", ""), http.StatusNotFound, "not_found")
}

// An event that waited for a locked session shows the wait.
func TestWhereTheTimeWent(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	session := newID()
	path, _ := postStored(t, s, newEvent(t, session))
	pool := s.Database.Pool(t)
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) }) // otherwise the pool would wait for it
	_, err = tx.Exec(t.Context(), "select from session for update")
	require.NoError(t, err)
	answers := make(chan *apptest.Answer, 1)
	body := newEvent(t, session)
	go func() {
		answer, _ := s.Try(context.Background(), http.MethodPost, "/v1/events", []byte(body)) // nil fails the test below
		answers <- answer
	}()
	require.Eventually(t, func() bool {
		var n int
		err := pool.QueryRow(t.Context(), "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()").Scan(&n)
		return err == nil && n > 0
	}, 20*time.Second, 5*time.Millisecond)
	held := time.Now()
	<-time.After(50 * time.Millisecond)
	atLeast := time.Since(held)
	require.NoError(t, tx.Rollback(t.Context()))
	answer := <-answers
	require.NotNil(t, answer)
	require.Equal(t, http.StatusCreated, answer.Status)
	slow := readTrace(t, s.Client, answer.Header.Get("Location"))
	requireWhole(t, slow)
	require.GreaterOrEqual(t, *slow.Stages[3].DurationMS, float64(atLeast.Milliseconds()), "the lock was waited for inside the commit")
	require.NotEqual(t, *slow.TraceID, *readTrace(t, s.Client, path).TraceID)
}

// The client's trace context is used if it is valid, and each request without one has a trace id
// of its own; problems and recorded errors name it.
func TestTraceContext(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	seen := map[string]bool{}
	for _, header := range []string{
		"", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "'; drop table event; --", strings.Repeat("0", 10_000), "\x80\xff",
	} {
		problem := requireProblem(t, s.Do(t, http.MethodPost, "/v1/events", `{}`, "traceparent", header), http.StatusBadRequest, "invalid_event")
		id := at[string](t, problem, "trace_id")
		require.NotEqual(t, clientTrace, id, header)
		require.False(t, seen[id])
		seen[id] = true
	}

	for _, header := range []string{clientParent, "00-" + clientTrace + "-00f067aa0ba902b7-00", "cc-" + clientTrace + "-00f067aa0ba902b7-01-what-comes-later"} {
		problem := requireProblem(t, s.Do(t, http.MethodPost, "/v1/events", `{}`, "traceparent", header), http.StatusBadRequest, "invalid_event")
		require.Equal(t, clientTrace, problem["trace_id"], header)
		kept := mustGet(t, s.Client, "/v1/errors/"+at[string](t, problem, "error_id"))
		require.Equal(t, clientTrace, kept["trace_id"])
	}
}
