package main_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/client"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
	"github.com/the-eye-events/the-eye/internal/testing/program"
)

// The service is killed and stays down, while an application continues. Every event that the
// Buffer took is stored once it is back, in the order in which it was taken.
func TestTheServiceIsAway(t *testing.T) {
	t.Parallel()
	for _, spool := range []string{"", t.TempDir()} {
		path := buildService(t)
		database := pgtest.New(t)
		key := makeKey(t, path, database)
		address, ops := program.FreeAddress(t), program.FreeAddress(t)
		service := serve(t, path, address, ops, database)

		failures, verdicts := &atomic.Int64{}, &atomic.Int64{}
		buffer, err := client.NewBuffer(newClient(t, "http://"+address, key), client.BufferConfig{
			Spool: spool, Delay: 10 * time.Millisecond, MaxEvents: 1_000_000, MaxBytes: 1 << 30,
			OnError:   func(error) { failures.Add(1) },
			OnVerdict: func(client.Event, client.Verdict) { verdicts.Add(1) },
		})
		require.NoError(t, err)
		session := client.NewID()
		var ids []string
		enqueue := func(during <-chan time.Time) {
			pace := time.NewTicker(time.Millisecond)
			defer pace.Stop()

			for {
				event := client.Event{EventID: client.NewID(), SessionID: session, Category: "e2e", Name: "counted"}
				require.NoError(t, buffer.Enqueue(event))
				ids = append(ids, event.EventID)
				select {
				case <-during:
					return
				case <-pace.C:
				}
			}
		}

		enqueue(time.After(time.Second))
		require.Eventually(t, func() bool { return verdicts.Load() > 0 }, time.Minute, time.Millisecond)
		service.kill()
		outage := flagValue[time.Duration](t, "outage")
		enqueue(time.After(outage))
		require.Positive(t, failures.Load(), "the service was down")
		waiting := buffer.Stats().Queued
		require.Positive(t, waiting)

		back := time.Now()
		serve(t, path, address, ops, database)
		enqueue(time.After(time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		left, err := buffer.Close(ctx)
		cancel()
		require.NoError(t, err, "%d are left", left.Count)
		require.Equal(t, ids, storedIDs(t, database, session), "each is stored once, in the order in which it was taken")
		stats := buffer.Stats()
		require.EqualValues(t, len(ids), stats.Stored+stats.Duplicates)
		wrong, err := apptest.FindContradictions(t.Context(), database.Pool(t))
		require.NoError(t, err)
		require.Empty(t, wrong)
		t.Logf("away for %v: %d events taken, %d waited, %d attempts failed; all stored %v after the start of the service",
			outage, len(ids), waiting, stats.Failures, time.Since(back).Round(time.Millisecond))
	}
}

// makeKey creates an application with a key by the service's own commands.
func makeKey(t *testing.T, path string, database *pgtest.Database) string {
	t.Helper()
	run(t, path, database, "app", "create", "shop")
	return strings.TrimSpace(run(t, path, database, "key", "create", "shop", "--scope", "ingest"))
}
