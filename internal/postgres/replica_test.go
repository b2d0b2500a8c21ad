package postgres_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// replicas returns two collectors on the database of a bundle.
func replicas(t testing.TB, b *bundle, lanes int) [2]*ingest.Collector {
	t.Helper()
	other := newStore(openDB(t, b.database.DSN()), keepAll())
	const budget = 2 * time.Minute // on a slow machine, too, each request has to be answered
	return [2]*ingest.Collector{collectorWithin(t, b.store, lanes, budget), collectorWithin(t, other, lanes, budget)}
}

// send records what is sent and answered, and fails the test on any answer without verdicts.
func send(t testing.TB, oracle *apptest.Oracle, c *ingest.Collector, r *ingest.Request) []ingest.Verdict {
	t.Helper()
	events := make([]event.Event, len(r.Envelopes))
	for i := range r.Envelopes {
		events[i] = r.Envelopes[i].Event
		if r.Envelopes[i].Accepted() {
			oracle.RecordSending(events[i])
		}
	}

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()

	verdicts, err := c.Submit(ctx, r)
	if err != nil {
		t.Errorf("a request was not answered: %v", err)
		return nil
	}

	for i, v := range verdicts {
		if r.Envelopes[i].Accepted() && v.Status != ingest.NotStored {
			oracle.RecordVerdict(events[i], v.Status, v.Sequence)
		}
	}

	return verdicts
}

// parallel runs writers until all have ended.
func parallel(writers int, write func(writer int)) {
	var group sync.WaitGroup
	for n := range writers {
		group.Go(func() { write(n) })
	}

	group.Wait()
}

// await waits until a condition holds, and no longer than any test should take.
func await(t testing.TB, so func() bool) {
	t.Helper()
	require.Eventually(t, so, 30*time.Second, 2*time.Millisecond)
}

// requireConsistent fails the test if the tables contradict one another or the answers.
func requireConsistent(t testing.TB, b *bundle, oracle *apptest.Oracle) {
	t.Helper()
	wrong, err := oracle.FindViolations(context.Background(), b.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, wrong)
}

// requireGapless fails the test unless the sequences of all sessions are 1 to n.
func requireGapless(t testing.TB, b *bundle) {
	t.Helper()
	gaps, err := apptest.FindGaps(context.Background(), b.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, gaps)
}

// countDeadlocks counts the deadlocks that Postgres resolved. Sessions report them once their
// connections close, so the number is only logged.
func countDeadlocks(t testing.TB, b *bundle) (n int) {
	t.Helper()
	require.NoError(t, b.database.Pool(t).QueryRow(context.Background(),
		"select deadlocks from pg_stat_database where datname = current_database()").Scan(&n))
	return n
}

// dice are a writer's own random numbers, the same in every run.
type dice struct {
	*rand.Rand
	zipf *rand.Zipf
}

func newDice(seed uint64, sessions uint64) *dice {
	r := rand.New(rand.NewPCG(17, seed))
	return &dice{Rand: r, zipf: rand.NewZipf(r, 1.1, 1, sessions-1)}
}

// session is one of a few, some far more likely than others.
func (d *dice) session() uuid.UUID { return sessionOf(d.zipf.Uint64()) }

// around is a time within a minute before the given one.
func (d *dice) around(at time.Time) time.Time {
	return at.Add(-time.Duration(d.Int64N(int64(time.Minute))))
}

func (d *dice) chance(percent int) bool { return d.IntN(100) < percent }

// sessionOf spreads a number over the bits of an id.
func sessionOf(n uint64) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], (n+1)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], (n+1)*0xbf58476d1ce4e5b9)
	return id
}
