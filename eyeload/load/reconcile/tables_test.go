package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func (s *recordedRun) compareTables(t *testing.T, from uint64) reconcile.Result {
	t.Helper()

	return reconcile.CompareTables(context.Background(), reconcile.Expectation{
		Journal: s.journal,
		Source:  s.source,
		From:    from,
	}, s.Database.Pool(t))
}

func TestTablesOfACleanRunAreConsistent(t *testing.T) {
	t.Parallel()
	s := sendEvents(t, apptest.Start(t, nil), 1)
	for range 2 { // looking changes nothing
		require.Equal(t, reconcile.Result{
			Outcome:         reconcile.Consistent,
			Acknowledged:    events - 1,
			Found:           events,
			Unanswered:      1,
			UnansweredFound: 1,
			Tables:          true,
		}, s.compareTables(t, 0))
	}

	require.Equal(t, reconcile.Result{
		Outcome:         reconcile.Consistent,
		Acknowledged:    2,
		Found:           3,
		Unanswered:      1,
		UnansweredFound: 1,
		Tables:          true,
	}, s.compareTables(t, events-3))
}

// Each kind of damage that a run has to find is found and named.
func TestTablesFindWhatIsSeeded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// statements damage the event $1.
		statements            []string
		lost, duplicated, gap bool
		found                 string
	}{
		{
			name: "a lost event", lost: true, gap: true, found: "lost: answered",
			statements: []string{"delete from event where event_id = $1"},
		},
		{
			name: "a lost event, with every trace of it", lost: true, gap: true, found: "lost: answered",
			statements: []string{
				"update session set event_count = event_count - 1 where session_id = (select session_id from event where event_id = $1)",
				"delete from event_key where event_id = $1", "delete from event where event_id = $1",
			},
		},
		{
			name: "a duplicate in another session", duplicated: true, found: "stored 2 times",
			statements: []string{`insert into event
				select event_id, gen_random_uuid(), 1, category, name, data, "timestamp", received_at, application_id from event where event_id = $1`},
		},
		{
			name: "a duplicate in its own session", duplicated: true, found: "stored 2 times",
			statements: []string{
				`insert into event select event_id, session_id, 11, category, name, data, "timestamp", received_at, application_id from event where event_id = $1`,
				`update session set event_count = event_count + 1, last_sequence = 11 where session_id = (select session_id from event where event_id = $1 limit 1)`,
			},
		},
		{
			name: "a gap before an unanswered event", gap: true, found: "1 to 11",
			statements: []string{
				"update event set sequence = sequence + 1 where session_id = (select session_id from event where event_id = $1) and sequence = 10",
				"update session set last_sequence = 11 where session_id = (select session_id from event where event_id = $1)",
			},
		},
		{
			name: "another payload", found: "other content",
			statements: []string{`update event set data = data || '{"x":1}' where event_id = $1`},
		},
		{
			name: "an event that is missing in the ledger", found: "in the ledger as nothing",
			statements: []string{"delete from event_key where event_id = $1"},
		},
		{
			name: "a session with a wrong count", found: "and its events",
			statements: []string{"update session set event_count = 3 where session_id = (select session_id from event where event_id = $1)"},
		},
		{
			name: "a session without its beginning", found: "and its events",
			statements: []string{
				"alter table session drop constraint session_span_check",
				"update session set started_at = null where session_id = (select session_id from event where event_id = $1)",
			},
		},
		{
			name: "an invention of long ago, with every trace of it", found: "not sent by this run",
			statements: []string{
				"create table event_p1960_01 partition of event for values from ('1960-01-01Z') to ('1960-02-01Z')",
				`with e as (insert into event (event_id, session_id, sequence, category, name, data, "timestamp", received_at, application_id)
						select gen_random_uuid(), gen_random_uuid(), 1, category, name, data, '1960-01-02Z', received_at, application_id from event where event_id = $1
						returning event_id, session_id, "timestamp", application_id),
					k as (insert into event_key select event_id, "timestamp" from e)
				insert into session select session_id, 1, 1, "timestamp", "timestamp", array[application_id] from e`,
			},
		},
		{
			name: "rejections that were not counted", found: "counted as kept",
			statements: []string{
				`insert into rejection (rejection_id, received_at, application_id, request_id, code, errors, raw_size)
				select gen_random_uuid(), received_at, application_id, 'r', 'invalid_event', '[]', 0 from event where event_id = $1`,
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := sendEvents(t, apptest.Start(t, nil), 1)
			for _, statement := range c.statements {
				var arguments []any
				if strings.Contains(statement, "$1") {
					arguments = []any{s.source.ID(4)}
				}

				_, err := s.Database.Pool(t).Exec(context.Background(), statement, arguments...)
				require.NoError(t, err)
			}

			r := s.compareTables(t, 0)
			require.Equal(t, reconcile.Inconsistent, r.Outcome)
			require.Contains(t, strings.Join(r.List, "\n"), c.found)
			require.Equal(t, c.lost, r.Lost > 0, "lost: %v", r.List)
			require.Equal(t, c.duplicated, r.Duplicated > 0, "duplicated: %v", r.List)
			require.Equal(t, c.gap, r.Gaps > 0, "gaps: %v", r.List)
		})
	}
}

func TestTablesFindARefusedEventThatIsStored(t *testing.T) {
	t.Parallel()
	s := sendEvents(t, apptest.Start(t, nil), 1)
	s.journal.RecordVerdict(4, reconcile.Rejected, 0)
	r := s.compareTables(t, 0)
	require.Equal(t, reconcile.Inconsistent, r.Outcome)
	require.Contains(t, r.List[0], `answered "rejected"`)
}

// A rejected event has a rejection, unless too many events were rejected in an hour.
func TestTablesFindARefusedEventThatIsNotAmongTheErrors(t *testing.T) {
	t.Parallel()
	s := sendEvents(t, apptest.Start(t, nil), 1)
	for i := range uint64(2) { // the first has a rejection, the second has none
		s.journal.RecordSending(events+i, time.Now().UnixMicro())
		s.journal.RecordVerdict(events+i, reconcile.Rejected, 0)
	}

	answer := s.Do(t, http.MethodPost, "/v1/events", fmt.Sprintf(`{"event_id":%q}`, s.source.ID(events)))
	require.Equal(t, http.StatusBadRequest, answer.Status)
	r := s.compareTables(t, 0)
	require.Equal(t, reconcile.Inconsistent, r.Outcome)
	require.Len(t, r.List, 1)
	require.Contains(t, r.List[0], s.source.ID(events+1).String())
	require.Contains(t, r.List[0], "not among the rejections")

	_, err := s.Database.Pool(t).Exec(context.Background(), "update rejection_count set refused = 1000")
	require.NoError(t, err)
	require.Equal(t, reconcile.Consistent, s.compareTables(t, 0).Outcome, "most were only counted")

	_, err = s.Database.Pool(t).Exec(context.Background(), "alter table rejection rename to gone")
	require.NoError(t, err)
	require.Equal(t, reconcile.Unreadable, s.compareTables(t, 0).Outcome)
}

// The database is the run's own, so an event of another sender is a difference.
func TestTablesFindWhatNobodySent(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	s := sendEvents(t, service, 1)
	stranger := traffic.NewHot(traffic.NewRun(2, time.Now())).MakeEvent(0, time.Now(), nil)
	require.Equal(t, http.StatusCreated, service.Do(t, http.MethodPost, "/v1/events", string(traffic.AppendEvent(nil, &stranger))).Status)
	r := s.compareTables(t, 0)
	require.Equal(t, reconcile.Inconsistent, r.Outcome)
	require.Contains(t, r.List[0], "not sent by this run")
}

// A store that cannot be read proves nothing, and least of all that no event is missing.
func TestTablesThatCannotBeReadAreUnreadable(t *testing.T) {
	t.Parallel()
	s := sendEvents(t, apptest.Start(t, nil), 1)
	pool := s.Database.Pool(t)
	pool.Close()
	r := reconcile.CompareTables(context.Background(), reconcile.Expectation{Journal: s.journal, Source: s.source}, pool)
	require.Equal(t, reconcile.Unreadable, r.Outcome)
	require.NotEmpty(t, r.Reason)
	require.Zero(t, r.Lost, "what was not read is not lost")
}
