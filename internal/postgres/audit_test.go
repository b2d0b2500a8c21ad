package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
)

// makeEntries makes audit entries, one an hour, the newest now.
func makeEntries(t testing.TB, b *bundle, entries int) {
	t.Helper()
	_, err := b.database.Pool(t).Exec(context.Background(), `
insert into audit_entry (audit_entry_id, "at", actor, action, target)
select gen_random_uuid(), now() - n * interval '1 hour', 'key:' || n % 7, 'event.edited', n::text from generate_series(0, $1::integer - 1) n`, entries)
	require.NoError(t, err)
}

// Old entries are deleted in more than one transaction, and the others stay.
func TestExpireAudit(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	makeEntries(t, b, 3500)
	store := postgres.NewRetentionStore(b.db)
	require.NoError(t, store.PruneAudit(context.Background(), time.Now().Add(-1000*time.Hour-30*time.Minute)))
	require.Equal(t, 1001, count(t, b, "audit_entry"))
	require.NoError(t, store.PruneAudit(context.Background(), time.Now().Add(-1000*time.Hour-30*time.Minute)))
	require.Equal(t, 1001, count(t, b, "audit_entry"))
}

// A page deep in a long log reads no more than the page.
func TestAuditPlan(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	makeEntries(t, b, 5000)
	_, err := b.database.Pool(t).Exec(context.Background(), "analyze audit_entry")
	require.NoError(t, err)
	var plan string
	after := &query.Position{At: time.Now().Add(-2000 * time.Hour), ID: uuid.New()}
	store := postgres.NewQueryStore(b.db).ExplainTo(func(found string) { plan = found })
	require.NoError(t, store.AuditEntries(context.Background(), query.AuditFilter{}, after, 100, nil))
	require.Contains(t, plan, "Index Scan Backward using audit_entry_pkey")
	require.NotContains(t, plan, "Sort")
	require.NotContains(t, plan, "Rows Removed")
}

// A very long session is erased in several transactions; their audit entries add up to
// everything that was erased.
func TestErasureOfALongSessionIsWhollyRecorded(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	session := uuid.New()
	c := collector(t, b.store, 1)
	for range 21 {
		envelopes := make([]event.Envelope, 500)
		for i := range envelopes {
			envelopes[i] = envelope(session, firstOf(0))
		}

		submit(t, c, request(shop, envelopes...))
	}

	erased := eraseAs(t, b.db, audit.Actor{Name: "key:a"}, erasure.Request{SessionIDs: []uuid.UUID{session}})
	require.EqualValues(t, 10_500, erased.Events)
	var entries, sessions, events int
	require.NoError(t, b.database.Pool(t).QueryRow(context.Background(), `
select count(*), sum((detail->>'sessions')::int), sum((detail->>'events')::int) from audit_entry
where action = 'session.erased' and target = $1::text and actor = 'key:a'`, session.String()).Scan(&entries, &sessions, &events))
	require.Equal(t, []int{1, 1, 10_500}, []int{entries, sessions, events})
	require.Equal(t, 1, count(t, b, "audit_entry where action = 'erasure.begun' and actor = 'key:a' and target = '"+erased.ID.String()+"'"))
	require.Equal(t, 1, count(t, b, "audit_entry where action = 'erasure.finished' and actor = 'key:a' and target = '"+erased.ID.String()+"'"))
}
