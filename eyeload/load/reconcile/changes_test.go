package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// changeEvent sends a change of a stored event.
func (s *recordedRun) changeEvent(t *testing.T, method, path, body string) {
	t.Helper()
	answer := s.Do(t, method, path, body)
	require.Less(t, answer.Status, 300, "%s %s: %s", method, path, answer.Body)
}

func (s *recordedRun) eventPath(index uint64) string {
	return "/v1/events/" + s.source.ID(index).String()
}

// requireConsistent fails the test if the tables differ from the journal.
func (s *recordedRun) requireConsistent(t *testing.T) {
	t.Helper()
	r := s.compareTables(t, 0)
	require.Equal(t, reconcile.Consistent, r.Outcome, "%s %v", r.Reason, r.List)
}

// requireDifference fails the test unless the tables differ from the journal in this.
func (s *recordedRun) requireDifference(t *testing.T, found string) {
	t.Helper()
	r := s.compareTables(t, 0)
	require.Equal(t, reconcile.Inconsistent, r.Outcome)
	require.Contains(t, strings.Join(r.List, "\n"), found)
}

func TestTablesAreHeldAgainstEditsAndErasures(t *testing.T) {
	t.Parallel()
	s := sendEvents(t, apptest.Start(t, nil), 1)
	s.changeEvent(t, http.MethodPatch, s.eventPath(3), `{"data":{"revision":2}}`)
	s.requireDifference(t, "other content")
	s.journal.RecordEdit(3, 2)
	s.requireConsistent(t)

	s.changeEvent(t, http.MethodDelete, s.eventPath(4), "")
	s.requireDifference(t, "lost: answered")
	s.journal.RecordErasure(4)
	s.requireConsistent(t)

	s.journal.RecordErasure(5) // although it is still stored
	s.requireDifference(t, ": erased, and found")
}

func TestTablesAreHeldAgainstErasedSessions(t *testing.T) {
	t.Parallel()
	s := sendEvents(t, apptest.Start(t, nil), 1)
	session := s.source.MakeEvent(0, time.Now(), nil).SessionID
	s.journal.RecordSessionErasure(session)
	s.requireDifference(t, ": erased, and found")
	s.changeEvent(t, http.MethodDelete, "/v1/sessions/"+session.String(), "")
	s.requireConsistent(t)
}

// A stored event that is attributed to the wrong application is a difference.
func TestTablesFindTheWrongApplication(t *testing.T) {
	t.Parallel()
	s := sendEvents(t, apptest.Start(t, nil), 1)
	pool := s.Database.Pool(t)
	var application int32
	require.NoError(t, pool.QueryRow(context.Background(), "select distinct application_id from event").Scan(&application))
	claim := reconcile.Expectation{
		Journal:     s.journal,
		Source:      s.source,
		Application: func(uint64) int32 { return application },
	}

	r := reconcile.CompareTables(context.Background(), claim, pool)
	require.Equal(t, reconcile.Consistent, r.Outcome, "%v", r.List)

	claim.Application = func(index uint64) int32 {
		if index == 7 {
			return application + 1
		}

		return application
	}

	r = reconcile.CompareTables(context.Background(), claim, pool)
	require.Equal(t, reconcile.Inconsistent, r.Outcome)
	require.Len(t, r.List, 1)
	require.Contains(t, r.List[0], "stored with application")
}

func TestTablesFindAConflictThatIsNotAmongTheErrors(t *testing.T) {
	t.Parallel()
	s := sendEvents(t, apptest.Start(t, nil), 1)
	e := s.source.MakeEvent(2, time.Now(), nil)
	e.Name = "another"
	answer := s.Do(t, http.MethodPost, "/v1/events", string(traffic.AppendEvent(nil, &e)))
	require.Equal(t, http.StatusConflict, answer.Status)
	kept, err := uuid.Parse(fmt.Sprint(answer.JSON(t)["error_id"]))
	require.NoError(t, err)
	s.journal.RecordConflict(kept, 2)
	s.requireConsistent(t)

	s.journal.RecordConflict(uuid.New(), 2)
	s.requireDifference(t, "not among the rejections")
}

// An event that a replay may store at any time is not a difference, stored or not. Once it has
// to be stored, it is.
func TestWhatAReplayMayStore(t *testing.T) {
	t.Parallel()
	s := sendEvents(t, apptest.Start(t, nil), 1)
	ahead := time.Now().Add(time.Hour)
	s.journal.RecordSending(events, ahead.UnixMicro())
	e := s.source.MakeEvent(events, ahead, nil)
	require.Equal(t, http.StatusBadRequest, s.Do(t, http.MethodPost, "/v1/events", string(traffic.AppendEvent(nil, &e))).Status)
	s.journal.RecordVerdict(events, reconcile.Deferred, 0)
	s.requireConsistent(t)

	s.journal.RecordVerdict(events, reconcile.Duplicate, 0)
	s.requireDifference(t, "lost: answered")
}
