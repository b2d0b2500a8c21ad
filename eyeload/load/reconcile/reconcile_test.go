package reconcile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// recordedRun is a run of ten events that were stored and recorded.
type recordedRun struct {
	*apptest.Service
	source  *traffic.Source
	journal *reconcile.Journal
}

const events = 10

// sendEvents sends events of one session, the last of which gets no answer.
func sendEvents(t *testing.T, service *apptest.Service, seed uint64) *recordedRun {
	t.Helper()
	s := &recordedRun{
		Service: service,
		source:  traffic.NewHot(traffic.NewRun(seed, time.Now())),
		journal: reconcile.NewJournal(),
	}

	for i := range uint64(events) {
		micros := time.Now().UnixMicro()
		s.journal.RecordSending(i, micros)
		e := s.source.MakeEvent(i, time.UnixMicro(micros), nil)
		answer := service.Do(t, http.MethodPost, "/v1/events", string(traffic.AppendEvent(nil, &e)))
		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
		if i == events-1 {
			continue
		}

		var told struct{ Sequence int64 }
		require.NoError(t, json.Unmarshal(answer.Body, &told))
		s.journal.RecordVerdict(i, reconcile.Stored, told.Sequence)
	}

	return s
}

func (s *recordedRun) compareAPI(t *testing.T, withTables bool) reconcile.Result {
	t.Helper()
	store := reconcile.Store{URL: s.URL, Key: s.Read, Client: s.HTTP}
	if withTables {
		store.Database = s.Database.Pool(t)
	}

	return reconcile.CompareAPI(context.Background(), s.journal, s.source, store)
}

func TestACleanRunIsConsistent(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)

	// Another run at the same time makes no difference.
	other := sendEvents(t, service, 2)
	r := sendEvents(t, service, 1).compareAPI(t, true)
	require.Equal(t, reconcile.Result{
		Outcome:         reconcile.Consistent,
		Acknowledged:    events - 1,
		Found:           events,
		Unanswered:      1,
		UnansweredFound: 1,
		Tables:          true,
	}, r)

	require.Equal(t, reconcile.Consistent, other.compareAPI(t, true).Outcome)
}

// A reconciliation that never finds a difference proves nothing.
func TestWhatIsWrongIsFound(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	pool := service.Database.Pool(t)
	for seed, c := range []struct {
		name string
		// statement damages the event $1.
		statement string
		damage    func(s *recordedRun)
		// found is a part of the one difference that the API shows; if empty, only tables show it.
		found string
	}{
		{name: "lost", statement: "delete from event where event_id = $1", found: "lost"},
		{name: "another sequence", statement: "update event set sequence = 99 where event_id = $1", found: "sequence 99"},
		{name: "other data", statement: `update event set data = data || '{"x":1}' where event_id = $1`, found: "other content"},
		{name: "another name", statement: "update event set name = 'x' where event_id = $1", found: "other content"},
		{name: "another session", statement: "update event set session_id = gen_random_uuid() where event_id = $1", found: "other content"},
		{name: "a little later", statement: "update event set timestamp = timestamp + interval '1 microsecond' where event_id = $1", found: "other content"},
		{name: "an invention in a session of the run", statement: "update event set event_id = gen_random_uuid() where event_id = $1", found: "never sent"},
		{name: "a rejected event", statement: "select $1::uuid", damage: func(s *recordedRun) { s.journal.RecordVerdict(4, reconcile.Rejected, 0) }, found: `answered "rejected"`},
		{name: "one in conflict", statement: "select $1::uuid", damage: func(s *recordedRun) { s.journal.RecordVerdict(4, reconcile.Conflict, 0) }, found: `answered "conflict"`},
		{name: "another acknowledged sequence", statement: "select $1::uuid", damage: func(s *recordedRun) { s.journal.RecordVerdict(4, reconcile.Duplicate, 1) }, found: "acknowledged with 1"},
		{name: "an impossible answer", statement: "select $1::uuid", damage: func(s *recordedRun) { s.journal.RecordViolation("what %s", "nonsense") }, found: "what nonsense"},
		{name: "a wrong count", statement: "update session set event_count = 2 from event where event.event_id = $1 and event.session_id = session.session_id"},
		{name: "a gap", statement: "update session set last_sequence = 11 from event where event.event_id = $1 and event.session_id = session.session_id"},
	} {
		s := sendEvents(t, service, uint64(seed))
		_, err := pool.Exec(context.Background(), c.statement, s.source.ID(4))
		require.NoError(t, err, c.name)
		if c.damage != nil {
			c.damage(s)
		}

		r := s.compareAPI(t, false)
		if c.found == "" {
			require.Equal(t, reconcile.Consistent, r.Outcome, "%s: %v", c.name, r.List)
			require.Equal(t, reconcile.Inconsistent, s.compareAPI(t, true).Outcome, c.name)
			continue
		}

		require.Equal(t, reconcile.Inconsistent, r.Outcome, c.name)
		require.Contains(t, strings.Join(r.List, "\n"), c.found, c.name)
		require.LessOrEqual(t, r.Differences, int64(2), "%s: %v", c.name, r.List)
	}
}

func TestAnEventThatWasNeverSentIsFound(t *testing.T) {
	t.Parallel()
	s := sendEvents(t, apptest.Start(t, nil), 1)
	for _, index := range []uint64{events, 1 << 40} {
		micros, _ := s.journal.SentAt(5)
		e := s.source.MakeEvent(index, time.UnixMicro(micros), nil)
		require.Equal(t, http.StatusCreated, s.Do(t, http.MethodPost, "/v1/events", string(traffic.AppendEvent(nil, &e))).Status)
	}

	r := s.compareAPI(t, true)
	require.Equal(t, reconcile.Inconsistent, r.Outcome)
	require.EqualValues(t, 2, r.Differences)
	require.Contains(t, r.List[0], "never sent")
}

func TestWhatIsStoredTwiceIsFound(t *testing.T) {
	t.Parallel()
	s := sendEvents(t, apptest.Start(t, nil), 1)
	_, err := s.Database.Pool(t).Exec(context.Background(), `insert into event
		select event_id, gen_random_uuid(), 1, category, name, data, "timestamp", received_at, application_id from event where event_id = $1`, s.source.ID(4))
	require.NoError(t, err)
	r := s.compareAPI(t, false)
	require.Equal(t, reconcile.Inconsistent, r.Outcome)
	require.Contains(t, strings.Join(r.List, "\n"), "stored 2 times")
}

func TestDifferencesAreCountedAndTheFirstListed(t *testing.T) {
	t.Parallel()
	s := sendEvents(t, apptest.Start(t, nil), 1)
	for i := range 50 {
		s.journal.RecordViolation("difference %d", i)
	}

	r := s.compareAPI(t, false)
	require.EqualValues(t, 50, r.Differences)
	require.Len(t, r.List, reconcile.MaxListed)
}

func TestAStoreThatCannotBeReadTellsNothing(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	s := sendEvents(t, service, 1)
	line := fmt.Sprintf(`{"event_id":%q,"session_id":%q,"sequence":1,"category":"a","name":"b","data":{},"timestamp":"2026-01-01T00:00:00Z"}`, uuid.New(), uuid.New())
	for name, handler := range map[string]http.HandlerFunc{
		"an error":          func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"a cut line":        func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(line + "\n" + line[:40])) },
		"a line that isn't": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello\n")) },
		"a cut stream": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(line + "\n"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		server := httptest.NewServer(handler)
		r := reconcile.CompareAPI(context.Background(), s.journal, s.source, reconcile.Store{
			URL:    server.URL,
			Key:    s.Read,
			Client: s.HTTP,
		})

		server.Close()
		require.Equal(t, reconcile.Unreadable, r.Outcome, "%s: %+v", name, r)
		require.NotEmpty(t, r.Reason, name)
	}

	r := reconcile.CompareAPI(context.Background(), s.journal, s.source, reconcile.Store{
		URL:    "http://127.0.0.1:1",
		Key:    s.Read,
		Client: s.HTTP,
	})

	require.Equal(t, reconcile.Unreadable, r.Outcome, "the service is gone")

	pool := service.Database.Pool(t)
	_, err := pool.Exec(context.Background(), "alter table session rename to gone")
	require.NoError(t, err)
	require.Equal(t, reconcile.Unreadable, s.compareAPI(t, true).Outcome, "the tables cannot be read")
}
