package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

// An error that the server or the moment causes is answered with 503, to be sent again. Any
// other error is a defect that no sender can correct.
func TestStatesOfTheServerAreUnavailable(t *testing.T) {
	t.Parallel()
	for state, retried := range map[string]bool{
		"53100": true,                               // disk full
		"53200": true,                               // out of memory
		"53300": true,                               // too many connections
		"57P01": true, "57P02": true, "57P03": true, // shut down, crashed, starting
		"57014": true, "55P03": true, // cancelled, lock timeout
		"08006": true, "08003": true, // connection broken
		"58030": true,                // disk unreadable
		"25006": true,                // read-only: a standby, or a primary that became one
		"40001": true, "40P01": true, // contention
		"42P01": false, "42601": false, "XX000": false,
	} {
		err := postgres.Translate(fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: state}))
		f, found := fault.As(err)
		require.Equal(t, retried, found && f.Kind == fault.Unavailable && f.RetryAfter > 0, "%s: %v", state, err)
	}

	_, found := fault.As(postgres.Translate(errors.New("something")))
	require.False(t, found)
}

// withSetting returns a connection string that applies a setting to every connection.
func withSetting(dsn, setting string) string {
	separator := "?"
	if strings.Contains(dsn, "?") {
		separator = "&"
	}

	return dsn + separator + setting
}

// A primary that accepts no writes stores nothing, and the sender is asked to send again: a
// primary that accepts writes then stores the events.
func TestReadOnlyPrimary(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	sent := request(shop, envelope(uuid.New(), time.Now().Add(-time.Hour)))
	readOnly := openDB(t, withSetting(b.database.DSN(), "default_transaction_read_only=on"))
	_, err := collector(t, newStore(readOnly, keepAll()), 1).Submit(t.Context(), sent)
	f, ok := fault.As(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, fault.Unavailable, f.Kind)
	require.ErrorContains(t, f.Unwrap(), "read-only transaction")
	require.Zero(t, count(t, b, "event"))
	require.Equal(t, []ingest.Status{ingest.Stored}, statuses(submit(t, collector(t, b.store, 1), sent)))
}

// The service reads the settings of the connections on which it commits, and leaves them as the
// server has them.
func TestWeaknessesAreThoseOfTheCommits(t *testing.T) {
	t.Parallel()
	dsn := newBundle(t).database.DSN()
	named := func(dsn string) (names []string) {
		found, err := openDB(t, dsn).ReadWeaknesses(t.Context())
		require.NoError(t, err)
		for _, w := range found {
			names = append(names, w.Setting)
		}

		return names
	}
	require.Contains(t, named(withSetting(dsn, "synchronous_commit=off")), "synchronous_commit")
	for _, safe := range []string{"on", "local", "remote_write", "remote_apply"} {
		require.NotContains(t, named(withSetting(dsn, "synchronous_commit="+safe)), "synchronous_commit", safe)
	}
}
