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

// service answers every request with the same.
func service(t *testing.T, status int, body string) string {
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
	b, _ := newBook()
	sent := map[uint64]bool{}
	for n := range 30 {
		application := n % 2 // the third sends nothing
		index := b.MeanOf(application)
		require.Equal(t, application, chaos.ApplicationOf(index))
		require.False(t, sent[index])
		sent[index] = true
	}
	b.Begin()
	for application := range chaos.Applications {
		require.GreaterOrEqual(t, b.MeanOf(application), uint64(15*chaos.Applications), "a cycle has the indexes above those before it")
	}
}

// Sequences that follow the order of sending and not the timestamps are found.
func TestARequestOutOfOrderIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sequences [3]int
		found     bool
	}{{[3]int{3, 1, 2}, false}, {[3]int{9, 4, 7}, false}, {[3]int{1, 2, 3}, true}, {[3]int{3, 2, 1}, true}} {
		b, source := newBook()
		indexes := b.MeanBefore(time.Second, 3*time.Second, 2*time.Second)
		var results []string
		for i, index := range indexes {
			results = append(results, fmt.Sprintf(`{"event_id":%q,"status":"stored","sequence":%d}`, source.ID(index), c.sequences[i]))
		}
		target := service(t, http.StatusCreated, `{"results":[`+strings.Join(results, ",")+`]}`)
		require.True(t, b.Attempt(t.Context(), target, indexes))
		found := differences(t, b, source)
		require.Equal(t, c.found, len(found) > 0, "%v %v", c.sequences, found)
	}
}

func TestAStaleListIsFound(t *testing.T) {
	t.Parallel()
	b, source := newBook()
	index := b.Mean(1)[0]
	b.ToldNow(index, reconcile.Stored, 4)
	b.Look(t.Context(), service(t, http.StatusServiceUnavailable, ""), index)
	b.Look(t.Context(), service(t, http.StatusOK, fmt.Sprintf(`{"events":[{"event_id":%q,"sequence":4}]}`, source.ID(index))), index)
	require.Empty(t, differences(t, b, source))

	b.Look(t.Context(), service(t, http.StatusOK, fmt.Sprintf(`{"events":[{"event_id":%q,"sequence":5}]}`, source.ID(index))), index)
	b.Look(t.Context(), service(t, http.StatusOK, fmt.Sprintf(`{"events":[{"event_id":%q,"sequence":4}]}`, uuid.New())), index)
	found := differences(t, b, source)
	require.Len(t, found, 2)
	require.Contains(t, found[0], "told sequence 4, and a list says 5")
	require.Contains(t, found[1], "does not have it")
}

// Whatever of an event differs under its id, the answer is a conflict that is kept.
func TestAContradictionThatIsNoConflictIsFound(t *testing.T) {
	t.Parallel()
	for way := range chaos.Ways() {
		b, source := newBook()
		index := b.Mean(1)[0]
		b.ToldNow(index, reconcile.Stored, 1)
		var asked atomic.Int64
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(http.StatusConflict)
			_, _ = fmt.Fprintf(w, `{"error_id":%q}`, uuid.New())
		}))
		b.Contradict(t.Context(), s.URL, index, way)
		s.Close()
		require.Empty(t, differences(t, b, source))
		require.EqualValues(t, 1, asked.Load())

		b.Contradict(t.Context(), service(t, http.StatusOK, `{"status":"duplicate"}`), index, way)
		b.Contradict(t.Context(), service(t, http.StatusConflict, `{"kept":false}`), index, way)
		found := differences(t, b, source)
		require.Len(t, found, 2)
		require.Contains(t, found[0], "sent with another content and told 200")
		require.Contains(t, found[1], "is not kept")
	}
}

// An event may be refused from the moment on that somebody asks to erase it, and must not
// be stored again once that is done.
func TestWhatWasErasedStaysErased(t *testing.T) {
	t.Parallel()
	b, source := newBook()
	index := b.Mean(1)[0]
	b.ToldNow(index, reconcile.Stored, 1)
	b.ToldNow(index, reconcile.Rejected, 0, "event_erased")
	require.Len(t, differences(t, b, source), 1, "nobody asked for that")

	b.Erase(t.Context(), service(t, http.StatusNoContent, ""), index)
	b.ToldNow(index, reconcile.Rejected, 0, "event_erased")
	require.Len(t, differences(t, b, source), 1)
	b.ToldNow(index, reconcile.Duplicate, 1)
	found := differences(t, b, source)
	require.Len(t, found, 2)
	require.Contains(t, found[1], "after it was erased")
}

// A change without an answer is asked for again at the end, and what is gone then is gone.
func TestChangesWithoutAnAnswerAreSettled(t *testing.T) {
	t.Parallel()
	b, source := newBook()
	indexes := b.Mean(2)
	b.ToldNow(indexes[0], reconcile.Stored, 1)
	b.ToldNow(indexes[1], reconcile.Stored, 2)
	away := service(t, http.StatusServiceUnavailable, "")
	b.Edit(t.Context(), away, indexes[0])
	b.Erase(t.Context(), away, indexes[1])

	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	require.Zero(t, b.Settle(context.Background(), s.URL))
	require.EqualValues(t, 2, asked.Load())
	require.Empty(t, differences(t, b, source))
}

// An event that is dated ahead may be refused for that, and stored later.
func TestEventsThatAreDatedAhead(t *testing.T) {
	t.Parallel()
	b, source := newBook()
	var ahead uint64
	for _, index := range b.Mean(200) {
		if chaos.IsAhead(index) {
			ahead = index
		}
	}
	b.ToldNow(ahead, reconcile.Rejected, 0, "timestamp_in_future")
	v, _ := b.Ledger().Known(ahead)
	require.Equal(t, reconcile.Deferred, v)
	b.ToldNow(ahead, reconcile.Duplicate, 7)
	b.ToldNow(ahead, reconcile.Rejected, 0, "timestamp_in_future") // an answer that was late
	v, sequence := b.Ledger().Known(ahead)
	require.Equal(t, reconcile.Duplicate, v)
	require.EqualValues(t, 7, sequence)
	require.Empty(t, differences(t, b, source))

	b.ToldNow(ahead, reconcile.Rejected, 0, "invalid_type")
	require.Len(t, differences(t, b, source), 1)
}
