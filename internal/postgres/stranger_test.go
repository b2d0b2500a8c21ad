package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// holdLocks runs a statement that takes locks, and holds them until the returned function is
// called.
func holdLocks(t *testing.T, b *bundle, sql string, args ...any) (release func()) {
	t.Helper()
	tx, err := b.database.Pool(t).Begin(context.Background())
	require.NoError(t, err)
	_, err = tx.Exec(context.Background(), sql, args...)
	require.NoError(t, err)
	release = func() { _ = tx.Rollback(context.Background()) } // a second rollback does no harm
	t.Cleanup(release)                                         // otherwise the pool would wait for it
	return release
}

// A locked session costs its own sender the budget, and other senders nothing, however often its
// sender comes back.
func TestLockedSessionDoesNotStopStrangers(t *testing.T) {
	t.Parallel()
	for _, lanes := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d lanes", lanes), func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			c := collector(t, b.store, lanes)
			locked, noon := uuid.New(), time.Now().Add(-time.Hour)
			submit(t, c, request(shop, envelope(locked, noon)))
			release := holdLocks(t, b, "select from session where session_id = $1 for update", locked)

			const rounds = 20
			blocked := make(chan error, 3*rounds)
			for range rounds {
				for _, atomic := range []bool{false, true} {
					r := request(shop, envelope(locked, noon), envelope(locked, noon))
					r.Atomic = atomic
					go func() {
						_, err := c.Submit(context.Background(), r)
						blocked <- err
					}()
				}

				go func() { // a batch with an event of the locked session is one client's
					_, err := c.Submit(context.Background(), request(shop, envelope(uuid.New(), noon), envelope(locked, noon)))
					blocked <- err
				}()
				require.Equal(t, []ingest.Status{ingest.Stored, ingest.Stored},
					statuses(submit(t, c, request(blog, envelope(uuid.New(), noon), envelope(uuid.New(), noon)))))
			}

			for range cap(blocked) {
				require.True(t, fault.Is(<-blocked, fault.CodeUnavailable))
			}

			release()
			require.Equal(t, []ingest.Status{ingest.Stored}, statuses(submit(t, c, request(shop, envelope(locked, noon)))))
			requireGapless(t, b)
		})
	}
}

// An id that another transaction has entered into the ledger, and not committed, delays the
// sender of the same id, and no other sender in the group.
func TestLockedEventIDDoesNotStopStrangers(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	noon := time.Now().Add(-time.Hour)
	submit(t, collector(t, b.store, 1), request(shop, envelope(uuid.New(), noon))) // creates the partition
	requests := make([]*ingest.Request, 40)
	for i := range requests {
		requests[i] = request(shop, envelope(uuid.New(), noon))
	}

	held := request(shop)
	for range 300 {
		held.Envelopes = append(held.Envelopes, envelope(uuid.New(), noon))
	}

	requests[17] = held // a batch whose first attempt hangs in another replica
	ids := make([][16]byte, 0, len(held.Envelopes))
	for _, e := range held.Envelopes {
		ids = append(ids, e.Event.ID)
	}

	holdLocks(t, b, `insert into event_key (event_id, "timestamp") select id, now() from unnest($1::uuid[]) as id`, ids)

	for i, verdicts := range submitTogetherWithin(t, b.store, 15*time.Second, requests) {
		if i == 17 {
			require.Empty(t, verdicts)
		} else {
			require.Equal(t, []ingest.Status{ingest.Stored}, statuses(verdicts), "request %d", i)
		}
	}

	requireGapless(t, b)
}

// An operator's addition to the database can refuse an event. Its sender is asked to try again,
// because the operator has to correct it; its neighbours are stored; the log names the addition.
func TestStrangeTriggerOrConstraintRefusesItsEventAlone(t *testing.T) {
	t.Parallel()
	for name, obstacle := range map[string]string{
		"trigger": `create function refuse() returns trigger language plpgsql as $$ begin
			if new.data ? 'secret' then raise exception 'no secrets'; end if; return new; end $$;
			create trigger refuse before insert on event for each row execute function refuse()`,
		"constraint": `alter table event add constraint no_secrets check (not data ? 'secret')`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			noon := time.Now().Add(-time.Hour)
			_, err := b.database.Pool(t).Exec(context.Background(), obstacle)
			require.NoError(t, err)
			requests := make([]*ingest.Request, 20)
			for i := range requests {
				requests[i] = request(shop, envelope(uuid.New(), noon))
			}

			for range 300 { // many events of one request, each of which is refused
				requests[7].Envelopes = append(requests[7].Envelopes, envelope(uuid.New(), noon))
			}

			for i := range requests[7].Envelopes {
				requests[7].Envelopes[i].Event.Data = []byte(`{"secret":1}`)
			}

			for i, verdicts := range submitTogether(t, b.store, requests) {
				if i == 7 {
					require.Empty(t, verdicts, "no verdict is final")
				} else {
					require.Equal(t, []ingest.Status{ingest.Stored}, statuses(verdicts), "request %d", i)
				}
			}

			require.Zero(t, count(t, b, "rejection"))

			core, logged := observer.New(zap.ErrorLevel)
			c := ingest.New(ingest.Config{
				Budget: 5 * time.Second, GroupEvents: 5000, GroupBytes: 16 << 20, QueueEvents: 50_000, QueueBytes: 128 << 20, Lanes: 1,
			}, ingest.Deps{Store: b.store, Logger: zap.New(core), NewID: newID, Now: time.Now})
			c.Start(t.Context())
			_, err = c.Submit(context.Background(), resend(requests[7]))
			require.True(t, fault.Is(err, fault.CodeUnavailable), "%v", err)
			c.Stop(context.Background())
			require.Equal(t, 1, logged.Len(), "one line a request: %v", logged.All())
			require.Contains(t, logged.All()[0].Message, "a trigger or constraint added to the database rejects an event")
		})
	}
}
