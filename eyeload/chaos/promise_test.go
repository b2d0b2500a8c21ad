package chaos_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/chaos"
	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// startService starts a service that gives every request the same answer.
func startService(t *testing.T, status int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}))

	t.Cleanup(s.Close)

	return s.URL
}

func TestEachApplicationSendsItsOwnEvents(t *testing.T) {
	t.Parallel()
	b, _ := newOracle()
	sent := map[uint64]bool{}
	for n := range 30 {
		application := n % 2 // the third sends nothing
		index := b.RecordSendingOf(application)
		require.Equal(t, application, chaos.ApplicationOf(index))
		require.False(t, sent[index])
		sent[index] = true
	}

	b.BeginCycle()
	for application := range chaos.Applications {
		require.GreaterOrEqual(t, b.RecordSendingOf(application), uint64(15*chaos.Applications), "indexes rise from cycle to cycle")
	}
}

// Sequences in the order of sending instead of the timestamps are a difference.
func TestARequestOutOfOrderIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sequences [3]int
		found     bool
	}{{[3]int{3, 1, 2}, false}, {[3]int{9, 4, 7}, false}, {[3]int{1, 2, 3}, true}, {[3]int{3, 2, 1}, true}} {
		b, source := newOracle()
		indexes := b.RecordSendingBefore(time.Second, 3*time.Second, 2*time.Second)
		var results []string
		for i, index := range indexes {
			results = append(results, fmt.Sprintf(`{"event_id":%q,"status":"stored","sequence":%d}`, source.ID(index), c.sequences[i]))
		}

		target := startService(t, http.StatusCreated, `{"results":[`+strings.Join(results, ",")+`]}`)
		require.True(t, b.SendOnce(t.Context(), target, indexes))
		found := findDifferences(t, b, source)
		require.Equal(t, c.found, len(found) > 0, "%v %v", c.sequences, found)
	}
}

func TestAStaleListIsFound(t *testing.T) {
	t.Parallel()
	b, source := newOracle()
	index := b.RecordSending(1)[0]
	b.RecordVerdictNow(index, reconcile.Stored, 4)
	b.VerifyListed(t.Context(), startService(t, http.StatusServiceUnavailable, ""), index)
	b.VerifyListed(t.Context(), startService(t, http.StatusOK, fmt.Sprintf(`{"events":[{"event_id":%q,"sequence":4}]}`, source.ID(index))), index)
	require.Empty(t, findDifferences(t, b, source))

	b.VerifyListed(t.Context(), startService(t, http.StatusOK, fmt.Sprintf(`{"events":[{"event_id":%q,"sequence":5}]}`, source.ID(index))), index)
	b.VerifyListed(t.Context(), startService(t, http.StatusOK, fmt.Sprintf(`{"events":[{"event_id":%q,"sequence":4}]}`, uuid.New())), index)
	found := findDifferences(t, b, source)
	require.Len(t, found, 2)
	require.Contains(t, found[0], "acknowledged with sequence 4, and a list has 5")
	require.Contains(t, found[1], "missing in a later list")
}

// Whichever member differs under the same id, the answer has to be a recorded conflict.
func TestAContradictionThatIsNoConflictIsFound(t *testing.T) {
	t.Parallel()
	for way := range chaos.CountConflictVariants() {
		b, source := newOracle()
		index := b.RecordSending(1)[0]
		b.RecordVerdictNow(index, reconcile.Stored, 1)
		var asked atomic.Int64
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(http.StatusConflict)
			_, _ = fmt.Fprintf(w, `{"error_id":%q}`, uuid.New())
		}))

		b.SendConflicting(t.Context(), s.URL, index, way)
		s.Close()
		require.Empty(t, findDifferences(t, b, source))
		require.EqualValues(t, 1, asked.Load())

		b.SendConflicting(t.Context(), startService(t, http.StatusOK, `{"status":"duplicate"}`), index, way)
		b.SendConflicting(t.Context(), startService(t, http.StatusConflict, `{"kept":false}`), index, way)
		found := findDifferences(t, b, source)
		require.Len(t, found, 2)
		require.Contains(t, found[0], "sent with other content and answered 200")
		require.Contains(t, found[1], "is not recorded")
	}
}

// An event may be rejected once its erasure was requested, and must not be stored again after
// the erasure.
func TestWhatWasErasedStaysErased(t *testing.T) {
	t.Parallel()
	b, source := newOracle()
	index := b.RecordSending(1)[0]
	b.RecordVerdictNow(index, reconcile.Stored, 1)
	b.RecordVerdictNow(index, reconcile.Rejected, 0, "event_erased")
	require.Len(t, findDifferences(t, b, source), 1, "without a request for its erasure")

	b.EraseEvent(t.Context(), startService(t, http.StatusNoContent, ""), index)
	b.RecordVerdictNow(index, reconcile.Rejected, 0, "event_erased")
	require.Len(t, findDifferences(t, b, source), 1)
	b.RecordVerdictNow(index, reconcile.Duplicate, 1)
	found := findDifferences(t, b, source)
	require.Len(t, found, 2)
	require.Contains(t, found[1], "after it was erased")
}

// A change without an answer is requested again at the end, and 404 then counts as erased.
func TestChangesWithoutAnAnswerAreSettled(t *testing.T) {
	t.Parallel()
	b, source := newOracle()
	indexes := b.RecordSending(2)
	b.RecordVerdictNow(indexes[0], reconcile.Stored, 1)
	b.RecordVerdictNow(indexes[1], reconcile.Stored, 2)
	unavailable := startService(t, http.StatusServiceUnavailable, "")
	b.EditEvent(t.Context(), unavailable, indexes[0])
	b.EraseEvent(t.Context(), unavailable, indexes[1])

	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNotFound)
		}
	}))

	t.Cleanup(s.Close)
	require.Zero(t, b.SettleChanges(context.Background(), s.URL))
	require.EqualValues(t, 2, asked.Load())
	require.Empty(t, findDifferences(t, b, source))
}

// An event that is dated ahead may be rejected for that, and stored later.
func TestEventsThatAreDatedAhead(t *testing.T) {
	t.Parallel()
	b, source := newOracle()
	var ahead uint64
	for _, index := range b.RecordSending(200) {
		if chaos.IsAhead(index) {
			ahead = index
		}
	}

	b.RecordVerdictNow(ahead, reconcile.Rejected, 0, "timestamp_in_future")
	v, _ := b.Journal().VerdictOf(ahead)
	require.Equal(t, reconcile.Deferred, v)
	b.RecordVerdictNow(ahead, reconcile.Duplicate, 7)
	b.RecordVerdictNow(ahead, reconcile.Rejected, 0, "timestamp_in_future") // a late answer
	v, sequence := b.Journal().VerdictOf(ahead)
	require.Equal(t, reconcile.Duplicate, v)
	require.EqualValues(t, 7, sequence)
	require.Empty(t, findDifferences(t, b, source))

	b.RecordVerdictNow(ahead, reconcile.Rejected, 0, "invalid_type")
	require.Len(t, findDifferences(t, b, source), 1)
}
