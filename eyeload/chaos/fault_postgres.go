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

func killPostgres(_ context.Context, s *site) (damage, error) {
	return damage{on: "all its processes", heal: s.server.Restart}, s.server.Kill()
}

// restartPostgres ends it in order, without waiting for its clients.
func restartPostgres(ctx context.Context, s *site) (damage, error) {
	return damage{heal: s.server.Restart}, s.server.Stop(ctx)
}

// quitPostgres ends it at once, so that it has to recover.
func quitPostgres(_ context.Context, s *site) (damage, error) {
	if err := syscall.Kill(s.server.PID(), syscall.SIGQUIT); err != nil {
		return damage{}, fmt.Errorf("quit Postgres: %w", err)
	}
	<-s.server.Done()
	return damage{heal: s.server.Restart}, nil
}

func freezePostgres(_ context.Context, s *site) (damage, error) {
	return damage{on: "all its processes", heal: func(context.Context) error { return s.server.Thaw() }}, s.server.Freeze()
}

// killBackend kills one server process, for which Postgres ends all others and recovers.
func killBackend(ctx context.Context, s *site) (damage, error) {
	conn, err := pgx.Connect(ctx, s.server.DSN(databaseName))
	if err != nil {
		return damage{}, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it may be gone by now
	var pid int
	const statement = `select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
		order by state = 'idle', random() limit 1`
	if err := conn.QueryRow(ctx, statement).Scan(&pid); err != nil {
		return damage{}, fmt.Errorf("find a backend: %w", err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return damage{}, fmt.Errorf("kill a backend: %w", err)
	}
	return damage{on: "process " + strconv.Itoa(pid), heal: nothing}, nil
}

func nothing(context.Context) error { return nil }

// disturb does something again and again, with a pause between, until it is healed.
func (s *site) disturb(ctx context.Context, on string, workers int, do func(ctx context.Context) error) (damage, error) {
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
	return damage{on: on, heal: func(context.Context) error {
		cancel()
		group.Wait()
		return found
	}}, nil
}

func terminateBackends(ctx context.Context, s *site) (damage, error) {
	return s.disturb(ctx, "one after the other", 0, func(ctx context.Context) error {
		return s.execute(ctx, `select pg_terminate_backend(pid) from (select pid from pg_stat_activity
			where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend' order by state = 'idle', random() limit 1) one`)
	})
}

// readOnly makes the server refuse to write, as a standby does that was promoted away from.
func readOnly(ctx context.Context, s *site) (damage, error) {
	set := func(ctx context.Context, statement string) error {
		return errors.Join(s.execute(ctx, statement), s.execute(ctx, "select pg_reload_conf()"))
	}
	return damage{heal: func(ctx context.Context) error {
		return set(ctx, "alter system reset default_transaction_read_only")
	}}, set(ctx, "alter system set default_transaction_read_only = on")
}

// hold opens a transaction, locks something, and lets go when it is healed.
func (s *site) hold(ctx context.Context, on, statement string) (damage, error) {
	conn, err := pgx.Connect(ctx, s.server.DSN(databaseName))
	if err != nil {
		return damage{}, fmt.Errorf("connect: %w", err)
	}
	_, err = conn.Exec(ctx, "begin")
	if err == nil {
		_, err = conn.Exec(ctx, statement)
	}
	if err != nil {
		return damage{}, errors.Join(fmt.Errorf("lock: %w", err), conn.Close(context.WithoutCancel(ctx)))
	}
	return damage{on: on, heal: conn.Close}, nil
}

// lockRows locks the sessions that are written to, which holds up every connection
// that writes.
func lockRows(ctx context.Context, s *site) (damage, error) {
	return s.hold(ctx, "the sessions of the last minute",
		"select from session where last_event_at > now() - interval '1 minute' order by session_id for update")
}

// lockSession locks the session that is written to most.
func lockSession(ctx context.Context, s *site) (damage, error) {
	return s.hold(ctx, "the busiest of the last minute",
		"select from session where last_event_at > now() - interval '1 minute' order by event_count desc, session_id limit 1 for update")
}

// slots are connections that were taken so that nobody else gets one.
type slots struct {
	dsn  string
	held []*pgx.Conn
}

// take connects until that is refused.
func (s *slots) take(ctx context.Context) {
	for {
		conn, err := pgx.Connect(ctx, s.dsn)
		if err != nil {
			return
		}
		s.held = append(s.held, conn)
	}
}

// others ends the connections that are not ours, and tells how many there were.
func (s *slots) others(ctx context.Context) (n int, err error) {
	pids := make([]int32, len(s.held))
	for i, conn := range s.held {
		pids[i] = int32(conn.PgConn().PID()) //nolint:gosec // as Postgres has it
	}
	err = s.held[0].QueryRow(ctx, `select count(pg_terminate_backend(pid)) from pg_stat_activity
		where datname = current_database() and backend_type = 'client backend' and pid <> all($1)`, pids).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("end the services' connections: %w", err)
	}
	return n, nil
}

func (s *slots) release(ctx context.Context) error {
	var err error
	for _, conn := range s.held {
		err = errors.Join(err, conn.Close(ctx))
	}
	return err
}

// takeSlots takes every connection there is. The services connect again as fast as
// theirs are ended, so that it takes some rounds until they have none.
func takeSlots(ctx context.Context, s *site) (damage, error) {
	const rounds = 200
	taken := &slots{dsn: s.server.DSN(databaseName)}
	taken.take(ctx)
	d := damage{heal: taken.release}
	if len(taken.held) == 0 {
		return d, errors.New("there was no connection to take")
	}
	for range rounds {
		n, err := taken.others(ctx)
		if err != nil {
			return d, errors.Join(err, taken.release(ctx))
		}
		if n == 0 {
			d.on = "all " + strconv.Itoa(len(taken.held)) + " connections"
			return d, nil
		}
		taken.take(ctx)
	}
	return d, errors.Join(errors.New("the services kept a connection"), taken.release(ctx))
}

// deadlocks locks sessions that are written to in random orders. A cycle without a
// single deadlock would prove nothing, and is an error.
func deadlocks(ctx context.Context, s *site) (damage, error) {
	const workers = 6
	before, err := s.deadlocked(ctx)
	if err != nil {
		return damage{}, err
	}
	pool, err := s.pool(ctx)
	if err != nil {
		return damage{}, err
	}
	d, err := s.disturb(ctx, "6 others that lock sessions in random orders", workers, func(ctx context.Context) error {
		ids, err := pool.Query(ctx, "select session_id from (select session_id from session order by last_event_at desc limit 12) s order by random() limit 4")
		if err != nil {
			return fmt.Errorf("find sessions: %w", err)
		}
		sessions, err := pgx.CollectRows(ids, pgx.RowTo[uuid.UUID])
		if err != nil {
			return fmt.Errorf("find sessions: %w", err)
		}
		return lockAll(ctx, pool, sessions)
	})
	heal := d.heal
	d.heal = func(ctx context.Context) error {
		err := heal(ctx)
		pool.Close() // what a connection counted is known when it ends, at the latest
		return errors.Join(err, s.moreDeadlocks(ctx, before))
	}
	return d, err
}

// deadlocked is how many deadlocks Postgres has broken.
func (s *site) deadlocked(ctx context.Context) (n int64, err error) {
	conn, err := pgx.Connect(ctx, s.server.DSN(databaseName))
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is pending on it
	if err := conn.QueryRow(ctx, "select deadlocks from pg_stat_database where datname = current_database()").Scan(&n); err != nil {
		return 0, fmt.Errorf("count the deadlocks: %w", err)
	}
	return n, nil
}

// moreDeadlocks waits a moment for the count to grow.
func (s *site) moreDeadlocks(ctx context.Context, before int64) error {
	const tries, step = 50, 100 * time.Millisecond
	for range tries {
		n, err := s.deadlocked(ctx)
		if err != nil || n > before {
			return err
		}
		pause(step)
	}
	return errors.New("no deadlock came about")
}

// begin is what a pool and a connection can do.
type beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// lockAll locks one session after the other. To be the victim of a deadlock is no error.
func lockAll(ctx context.Context, pool beginner, sessions []uuid.UUID) error {
	tx, err := pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("lock sessions: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is pending on it
	for _, id := range sessions {
		if _, err := tx.Exec(ctx, "select pg_sleep(0.01) from (select from session where session_id = $1 for update) s", id); err != nil {
			return nil // a victim
		}
	}
	return nil
}

func fillDisk(_ context.Context, s *site) (damage, error) {
	return damage{on: "that of the ledger of ids", heal: func(context.Context) error { return s.disk.empty() }}, s.disk.fill()
}
