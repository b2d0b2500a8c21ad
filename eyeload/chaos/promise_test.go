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

// startService answers every request with the same.
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
		require.GreaterOrEqual(t, b.RecordSendingOf(application), uint64(15*chaos.Applications), "a cycle has the indexes above those before it")
	}
}

// Sequences that follow the order of sending and not the timestamps are found.
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
	require.Contains(t, found[0], "told sequence 4, and a list says 5")
	require.Contains(t, found[1], "does not have it")
}

// Whatever of an event differs under its id, the answer is a conflict that is kept.
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
		require.Contains(t, found[0], "sent with another content and told 200")
		require.Contains(t, found[1], "is not kept")
	}
}

// An event may be refused from the moment on that somebody asks to erase it, and must not
// be stored again once that is done.
func TestWhatWasErasedStaysErased(t *testing.T) {
	t.Parallel()
	b, source := newOracle()
	index := b.RecordSending(1)[0]
	b.RecordVerdictNow(index, reconcile.Stored, 1)
	b.RecordVerdictNow(index, reconcile.Rejected, 0, "event_erased")
	require.Len(t, findDifferences(t, b, source), 1, "nobody asked for that")

	b.EraseEvent(t.Context(), startService(t, http.StatusNoContent, ""), index)
	b.RecordVerdictNow(index, reconcile.Rejected, 0, "event_erased")
	require.Len(t, findDifferences(t, b, source), 1)
	b.RecordVerdictNow(index, reconcile.Duplicate, 1)
	found := findDifferences(t, b, source)
	require.Len(t, found, 2)
	require.Contains(t, found[1], "after it was erased")
}

// A change without an answer is asked for again at the end, and what is gone then is gone.
func TestChangesWithoutAnAnswerAreSettled(t *testing.T) {
	t.Parallel()
	b, source := newOracle()
	indexes := b.RecordSending(2)
	b.RecordVerdictNow(indexes[0], reconcile.Stored, 1)
	b.RecordVerdictNow(indexes[1], reconcile.Stored, 2)
	away := startService(t, http.StatusServiceUnavailable, "")
	b.EditEvent(t.Context(), away, indexes[0])
	b.EraseEvent(t.Context(), away, indexes[1])

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

// An event that is dated ahead may be refused for that, and stored later.
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
	b.RecordVerdictNow(ahead, reconcile.Rejected, 0, "timestamp_in_future") // an answer that was late
	v, sequence := b.Journal().VerdictOf(ahead)
	require.Equal(t, reconcile.Duplicate, v)
	require.EqualValues(t, 7, sequence)
	require.Empty(t, findDifferences(t, b, source))

	b.RecordVerdictNow(ahead, reconcile.Rejected, 0, "invalid_type")
	require.Len(t, findDifferences(t, b, source), 1)
}
