package ingest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/ingest"
)

// timings is an ingest.TimingStore in memory.
type timings struct {
	mu     sync.Mutex
	writes [][]ingest.Timing
	fail   error
	// during is called while timings are being written, unless it is nil.
	during func(list []ingest.Timing)
}

func (s *timings) KeepTimings(_ context.Context, _ time.Time, list []ingest.Timing) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.during != nil {
		s.during(list)
	}

	s.writes = append(s.writes, list)
	return s.fail
}

func (s *timings) written() [][]ingest.Timing {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.writes
}

// timed returns a running collector whose timings are stored.
func timed(t *testing.T, store ingest.Store, stored *timings) *ingest.Collector {
	t.Helper()
	c := ingest.New(config(), ingest.Deps{
		Store: store, Logger: zap.NewNop(), NewID: func() uuid.UUID { return uuid.Must(uuid.NewV7()) }, Now: time.Now, Timings: stored,
	})
	c.Start(t.Context())
	t.Cleanup(func() { c.Stop(context.Background()) })
	return c
}

// The timings of many groups are written together, and each can be read from the moment its
// request is answered.
func TestTimingsAreKeptTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, stored := newHeldFake(), &timings{}
		c := timed(t, store, stored)
		const groups, took = 5, 20 * time.Millisecond
		var ids []ingest.GroupID
		for range groups {
			answered := submitted(t, c, t.Context(), request(good(uuid.New())))
			<-store.entered
			began := time.Now()
			<-time.After(took)
			store.proceed <- nil
			require.NoError(t, (<-answered).err)
			id := store.lastGroup()
			require.WithinDuration(t, began, id.Began(), time.Microsecond)
			found, known := c.CommitDuration(id)
			require.True(t, known)
			require.Equal(t, took, found)
			ids = append(ids, id)
		}

		require.Empty(t, stored.written())
		<-time.After(time.Second)
		require.Len(t, stored.written(), 1)
		for i, timing := range stored.written()[0] {
			require.Equal(t, ingest.Timing{Group: ids[i], Took: took}, timing)
		}

		_, known := c.CommitDuration(ids[0])
		require.False(t, known, "the stored timing replaces it")
		<-time.After(time.Hour)
		require.Len(t, stored.written(), 1, "at rest nothing is written")
	})
}

// A timing can also be read while it is being written, when it is neither pending nor stored.
func TestATimingIsKnownWhileItIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stored := &timings{}
		c := timed(t, newFake(), stored)
		var known []bool
		stored.during = func(list []ingest.Timing) {
			_, found := c.CommitDuration(list[0].Group)
			known = append(known, found)
		}
		_, err := c.Submit(t.Context(), request(good(uuid.New())))
		require.NoError(t, err)

		require.Zero(t, c.Stop(t.Context()))
		require.Equal(t, []bool{true}, known)
	})
}

// Pending timings are written when the service stops.
func TestTimingsAreKeptAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stored := &timings{}
		c := timed(t, newFake(), stored)
		_, err := c.Submit(t.Context(), request(good(uuid.New())))
		require.NoError(t, err)
		require.Zero(t, c.Stop(t.Context()))
		require.Len(t, stored.written(), 1)
	})
}

// A store that cannot keep timings loses them, and nothing more.
func TestTimingsThatCannotBeKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stored := &timings{fail: errors.New("the database is down")}
		c := timed(t, newFake(), stored)
		for range 3 {
			_, err := c.Submit(t.Context(), request(good(uuid.New())))
			require.NoError(t, err)
			<-time.After(time.Minute)
		}

		require.Len(t, stored.written(), 3)
	})
}
