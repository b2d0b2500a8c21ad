package limits

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/postgres"
)

// DatasetConfig says what FillDatabase makes. The zero value of every field but End is usable.
type DatasetConfig struct {
	// Events is the number of events. Default: 10,000,000.
	Events int
	// Days is the length of the period of the events. Default: 30.
	Days int
	// End is the end of that period; no event is later.
	End time.Time
	// Seed decides everything that is random: the same seed and the same End make the same
	// rows.
	Seed uint64
	// Application is the name of the sender, which is created unless it exists. Default:
	// dataset.
	Application string
	// Connections is the number of concurrent copies. Default: 4.
	Connections int
	// Progress is called with the number of stored events, from several goroutines. It may be
	// nil.
	Progress func(events int64)
}

// Dataset describes the rows that FillDatabase made.
type Dataset struct {
	Events   int64
	Sessions int64
	// From is inclusive and To exclusive, both on the timestamp.
	From, To time.Time
}

const (
	defaultEvents      = 10_000_000
	defaultDays        = 30
	defaultConnections = 4
	// sliceEvents is the number of events in one transaction: the events of the sessions that
	// begin in one slice of the period, in the order of their timestamps. Within a slice
	// sessions are interleaved, as when they are sent.
	sliceEvents = 50_000
	// groupEvents is the number of events of a slice with the same transaction id, as if the
	// service had stored them in groups.
	groupEvents = 2_000
)

func (c DatasetConfig) withDefaults() (DatasetConfig, error) {
	if c.End.IsZero() {
		return c, errors.New("a data set needs an end")
	}

	if c.Events <= 0 {
		c.Events = defaultEvents
	}

	if c.Days <= 0 {
		c.Days = defaultDays
	}

	if c.Application == "" {
		c.Application = "dataset"
	}

	if c.Connections <= 0 {
		c.Connections = defaultConnections
	}

	return c, nil
}

// FillDatabase adds a data set to a migrated database: events in sessions of geometric length,
// their ledger and their session rows, as the service would have stored them, in partitions
// that the service's code creates; then it runs VACUUM and ANALYZE. Existing rows stay.
// FillDatabase is not atomic: when it fails, complete slices of the data set remain, and the
// tables are consistent.
func FillDatabase(ctx context.Context, pool *pgxpool.Pool, config DatasetConfig) (Dataset, error) {
	config, err := config.withDefaults()
	if err != nil {
		return Dataset{}, err
	}

	to := config.End.UTC().Truncate(time.Microsecond)
	d := Dataset{From: to.AddDate(0, 0, -config.Days), To: to}
	application, err := prepareDataset(ctx, pool, config.Application, d.From, d.To)
	if err != nil {
		return Dataset{}, err
	}

	slices := (config.Events + sliceEvents - 1) / sliceEvents
	var next, events, sessions atomic.Int64
	err = runWorkers(ctx, config.Connections, func(ctx context.Context) error {
		maker := newSliceMaker(config.Seed, application)
		for n := int(next.Add(1)) - 1; n < slices; n = int(next.Add(1)) - 1 {
			share := func(total int64, n int) int64 { return total / int64(slices) * int64(n) }
			size := min(sliceEvents, config.Events-n*sliceEvents)
			span := d.To.Sub(d.From).Microseconds()
			transactions, err := allocateTransactions(ctx, pool, (size+groupEvents-1)/groupEvents)
			if err != nil {
				return err
			}

			maker.makeSlice(n, size, d.From.UnixMicro()+share(span, n), d.From.UnixMicro()+share(span, n+1), d.To.UnixMicro(), transactions)
			if err := maker.storeSlice(ctx, pool); err != nil {
				return err
			}

			sessions.Add(int64(len(maker.sessions)))
			stored := events.Add(int64(size))
			if config.Progress != nil {
				config.Progress(stored)
			}
		}

		return nil
	})

	d.Events = events.Load()
	d.Sessions = sessions.Load()
	if err != nil {
		return d, err
	}

	if _, err = pool.Exec(ctx, "vacuum (analyze) event, event_key, session"); err != nil {
		return d, fmt.Errorf("vacuum the data set: %w", err)
	}

	return d, nil
}

// applicationSQL creates an application unless it exists, and returns its id.
const applicationSQL = `
with made as (insert into application (name) values ($1) on conflict (name) do nothing returning application_id)
select application_id from made union all select application_id from application where name = $1`

// prepareDataset creates the application and, with the service's own code, the partitions.
func prepareDataset(ctx context.Context, pool *pgxpool.Pool, application string, from, to time.Time) (id int32, err error) {
	if err := pool.QueryRow(ctx, applicationSQL, application).Scan(&id); err != nil {
		return 0, fmt.Errorf("make the application of the data set: %w", err)
	}

	db, err := openStore(ctx, pool)
	if err != nil {
		return 0, err
	}
	defer db.Close()

	return id, postgres.NewRetentionStore(db).CreatePartitions(ctx, from, to)
}

// allocateTransactions returns the ids of transactions that did nothing else.
func allocateTransactions(ctx context.Context, pool *pgxpool.Pool, count int) ([]int64, error) {
	numbers := make([]int64, count)
	for n := range numbers {
		if err := pool.QueryRow(ctx, "select pg_current_xact_id()::text::bigint").Scan(&numbers[n]); err != nil {
			return nil, fmt.Errorf("allocate a transaction id: %w", err)
		}
	}

	return numbers, nil
}

// openStore opens the database of a pool as the service does.
func openStore(ctx context.Context, pool *pgxpool.Pool) (*postgres.DB, error) {
	const timeout = 5 * time.Minute

	return postgres.Open(ctx, postgres.Config{
		URL:              pool.Config().ConnString(),
		WriteConnections: 1,
		ReadConnections:  2,
		ConnectTimeout:   timeout,
		WriteTimeout:     timeout,
		ReadTimeout:      timeout,
	})
}

// runWorkers runs workers until all have ended. The first error cancels the others and is
// returned.
func runWorkers(ctx context.Context, workers int, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			if err := work(ctx); err != nil {
				cancel(err)
			}
		})
	}

	group.Wait()

	return context.Cause(ctx)
}

// The tables in the order in which the service locks them.
const (
	copyKeysSQL     = `copy event_key (event_id, "timestamp") from stdin (format binary)`
	copySessionsSQL = `copy session (session_id, last_sequence, event_count, started_at, last_event_at, application_ids) from stdin (format binary)`
	// copyNumberedSQL includes the transaction ids.
	copyNumberedSQL = `copy event (event_id, session_id, sequence, category, name, data, "timestamp", received_at, application_id, transaction_id) from stdin (format binary)`
)

// storeSlice stores the last slice that was made, in one transaction.
func (m *sliceMaker) storeSlice(ctx context.Context, pool *pgxpool.Pool) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		for _, table := range []struct {
			sql  string
			rows []byte
		}{
			{copyKeysSQL, m.keyRows},
			{copySessionsSQL, m.sessionRows},
			{copyNumberedSQL, m.eventRows},
		} {
			if _, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(table.rows), table.sql); err != nil {
				return fmt.Errorf("copy: %w", err)
			}
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("store a slice of the data set: %w", err)
	}

	return nil
}
