package chaos

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

func killPostgres(_ context.Context, s *testbed) (injection, error) {
	return injection{target: "all its processes", revert: s.server.Restart}, s.server.Kill()
}

// restartPostgres stops Postgres in order, without waiting for its clients.
func restartPostgres(ctx context.Context, s *testbed) (injection, error) {
	return injection{revert: s.server.Restart}, s.server.Stop(ctx)
}

// stopPostgresAtOnce stops Postgres without a checkpoint, so that it has to recover.
func stopPostgresAtOnce(_ context.Context, s *testbed) (injection, error) {
	if err := syscall.Kill(s.server.PID(), syscall.SIGQUIT); err != nil {
		return injection{}, fmt.Errorf("quit Postgres: %w", err)
	}

	<-s.server.Done()

	return injection{revert: s.server.Restart}, nil
}

func freezePostgres(_ context.Context, s *testbed) (injection, error) {
	return injection{target: "all its processes", revert: func(context.Context) error { return s.server.Thaw() }}, s.server.Freeze()
}

// killBackend kills one server process. Postgres then ends all others and recovers.
func killBackend(ctx context.Context, s *testbed) (injection, error) {
	conn, err := pgx.Connect(ctx, s.server.DSN(databaseName))
	if err != nil {
		return injection{}, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // Postgres may have closed it

	var pid int
	const statement = `select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
		order by state = 'idle', random() limit 1`
	if err := conn.QueryRow(ctx, statement).Scan(&pid); err != nil {
		return injection{}, fmt.Errorf("find a backend: %w", err)
	}

	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return injection{}, fmt.Errorf("kill a backend: %w", err)
	}

	return injection{target: "process " + strconv.Itoa(pid), revert: revertNothing}, nil
}

func revertNothing(context.Context) error { return nil }

// repeatUntilReverted repeats an action until the fault is reverted. With workers, so many
// repeat it at the same time without a pause.
func (s *testbed) repeatUntilReverted(ctx context.Context, on string, workers int, do func(ctx context.Context) error) (injection, error) {
	const pause = 200 * time.Millisecond

	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	var mu sync.Mutex
	var found error

	for range max(workers, 1) {
		group.Go(func() {
			for ctx.Err() == nil {
				if err := do(ctx); err != nil && ctx.Err() == nil {
					mu.Lock()
					found = err
					mu.Unlock()

					return
				}

				if workers > 0 {
					continue
				}

				select {
				case <-ctx.Done():
				case <-time.After(pause):
				}
			}
		})
	}

	return injection{
		target: on,
		revert: func(context.Context) error {
			cancel()
			group.Wait()
			return found
		},
	}, nil
}

func terminateBackends(ctx context.Context, s *testbed) (injection, error) {
	return s.repeatUntilReverted(ctx, "one after the other", 0, func(ctx context.Context) error {
		return s.execStatement(ctx, `select pg_terminate_backend(pid) from (select pid from pg_stat_activity
			where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend' order by state = 'idle', random() limit 1) one`)
	})
}

// makeReadOnly makes the server refuse writes, as a demoted primary does.
func makeReadOnly(ctx context.Context, s *testbed) (injection, error) {
	set := func(ctx context.Context, statement string) error {
		return errors.Join(s.execStatement(ctx, statement), s.execStatement(ctx, "select pg_reload_conf()"))
	}

	return injection{revert: func(ctx context.Context) error {
		return set(ctx, "alter system reset default_transaction_read_only")
	}}, set(ctx, "alter system set default_transaction_read_only = on")
}

// holdLock opens a transaction and takes a lock, until the fault is reverted.
func (s *testbed) holdLock(ctx context.Context, on, statement string) (injection, error) {
	conn, err := pgx.Connect(ctx, s.server.DSN(databaseName))
	if err != nil {
		return injection{}, fmt.Errorf("connect: %w", err)
	}

	_, err = conn.Exec(ctx, "begin")
	if err == nil {
		_, err = conn.Exec(ctx, statement)
	}

	if err != nil {
		return injection{}, errors.Join(fmt.Errorf("lock: %w", err), conn.Close(context.WithoutCancel(ctx)))
	}

	return injection{target: on, revert: conn.Close}, nil
}

// lockRows locks the sessions that are written to, which blocks every connection that writes.
func lockRows(ctx context.Context, s *testbed) (injection, error) {
	return s.holdLock(ctx, "the sessions of the last minute",
		"select from session where last_event_at > now() - interval '1 minute' order by session_id for update")
}

// lockSession locks the busiest session.
func lockSession(ctx context.Context, s *testbed) (injection, error) {
	return s.holdLock(ctx, "the busiest of the last minute",
		"select from session where last_event_at > now() - interval '1 minute' order by event_count desc, session_id limit 1 for update")
}

// heldConnections are connections that are kept so that the services get none.
type heldConnections struct {
	dsn         string
	connections []*pgx.Conn
}

// acquireAll connects until Postgres refuses.
func (s *heldConnections) acquireAll(ctx context.Context) {
	for {
		conn, err := pgx.Connect(ctx, s.dsn)
		if err != nil {
			return
		}

		s.connections = append(s.connections, conn)
	}
}

// terminateOthers ends all other connections to the database, and returns their number.
func (s *heldConnections) terminateOthers(ctx context.Context) (n int, err error) {
	pids := make([]int32, len(s.connections))
	for i, conn := range s.connections {
		pids[i] = int32(conn.PgConn().PID()) //nolint:gosec // a process id of Postgres
	}

	err = s.connections[0].QueryRow(ctx, `select count(pg_terminate_backend(pid)) from pg_stat_activity
		where datname = current_database() and backend_type = 'client backend' and pid <> all($1)`, pids).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("end the services' connections: %w", err)
	}

	return n, nil
}

func (s *heldConnections) releaseAll(ctx context.Context) error {
	var err error
	for _, conn := range s.connections {
		err = errors.Join(err, conn.Close(ctx))
	}

	return err
}

// exhaustConnections takes every connection. The services reconnect as fast as their
// connections are ended, so that it takes some rounds until they have none.
func exhaustConnections(ctx context.Context, s *testbed) (injection, error) {
	const rounds = 200

	held := &heldConnections{dsn: s.server.DSN(databaseName)}
	held.acquireAll(ctx)
	d := injection{revert: held.releaseAll}
	if len(held.connections) == 0 {
		return d, errors.New("there was no connection to take")
	}

	for range rounds {
		n, err := held.terminateOthers(ctx)
		if err != nil {
			return d, errors.Join(err, held.releaseAll(ctx))
		}

		if n == 0 {
			d.target = "all " + strconv.Itoa(len(held.connections)) + " connections"
			return d, nil
		}

		held.acquireAll(ctx)
	}

	return d, errors.Join(errors.New("the services kept a connection"), held.releaseAll(ctx))
}

// provokeDeadlocks locks the sessions that are written to, in random orders. A cycle without a
// deadlock would prove nothing, and is an error.
func provokeDeadlocks(ctx context.Context, s *testbed) (injection, error) {
	const workers = 6

	before, err := s.countDeadlocks(ctx)
	if err != nil {
		return injection{}, err
	}

	pool, err := s.openPool(ctx)
	if err != nil {
		return injection{}, err
	}

	d, err := s.repeatUntilReverted(ctx, "6 others that lock sessions in random orders", workers, func(ctx context.Context) error {
		ids, err := pool.Query(ctx, "select session_id from (select session_id from session order by last_event_at desc limit 12) s order by random() limit 4")
		if err != nil {
			return fmt.Errorf("find sessions: %w", err)
		}

		sessions, err := pgx.CollectRows(ids, pgx.RowTo[uuid.UUID])
		if err != nil {
			return fmt.Errorf("find sessions: %w", err)
		}

		return lockSessions(ctx, pool, sessions)
	})

	revert := d.revert
	d.revert = func(ctx context.Context) error {
		err := revert(ctx)
		pool.Close() // a connection reports its counters when it ends, at the latest
		return errors.Join(err, s.awaitDeadlock(ctx, before))
	}

	return d, err
}

// countDeadlocks returns the number of deadlocks that Postgres has resolved.
func (s *testbed) countDeadlocks(ctx context.Context) (n int64, err error) {
	conn, err := pgx.Connect(ctx, s.server.DSN(databaseName))
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is pending

	if err := conn.QueryRow(ctx, "select deadlocks from pg_stat_database where datname = current_database()").Scan(&n); err != nil {
		return 0, fmt.Errorf("count the deadlocks: %w", err)
	}

	return n, nil
}

// awaitDeadlock waits for the number of deadlocks to grow.
func (s *testbed) awaitDeadlock(ctx context.Context, before int64) error {
	const tries, step = 50, 100 * time.Millisecond

	for range tries {
		n, err := s.countDeadlocks(ctx)
		if err != nil || n > before {
			return err
		}

		sleepFor(step)
	}

	return errors.New("there was no deadlock")
}

// beginner is the part that a pool and a connection share.
type beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// lockSessions locks one session after another. Being the victim of a deadlock is not an error.
func lockSessions(ctx context.Context, pool beginner, sessions []uuid.UUID) error {
	tx, err := pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("lock sessions: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is pending

	for _, id := range sessions {
		if _, err := tx.Exec(ctx, "select pg_sleep(0.01) from (select from session where session_id = $1 for update) s", id); err != nil {
			return nil // the victim of a deadlock
		}
	}

	return nil
}

func fillDisk(_ context.Context, s *testbed) (injection, error) {
	return injection{target: "that of the ledger of ids", revert: func(context.Context) error { return s.disk.freeSpace() }}, s.disk.fillUp()
}
