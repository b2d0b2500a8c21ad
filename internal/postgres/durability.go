package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Durability holds the settings that decide what a commit waits for.
type Durability struct {
	// SynchronousCommit, Fsync and FullPageWrites are the settings of these names.
	SynchronousCommit, Fsync, FullPageWrites string
	// Standbys is synchronous_standby_names; empty when no standby is waited for.
	Standbys string
}

// Weakness is a setting of the database that breaks a promise of the service.
type Weakness struct {
	Setting string
	Value   string
	Effect  string
}

// Weaknesses returns the settings that break the promise that an acknowledged event
// survives a crash or, where standbys are waited for, a failover.
func (d Durability) Weaknesses() []Weakness {
	const off = "off"
	var found []Weakness
	if d.Fsync == off {
		found = append(found, Weakness{"fsync", d.Fsync, "a crash of the server can lose or corrupt acknowledged events"})
	}

	if d.FullPageWrites == off {
		found = append(found, Weakness{"full_page_writes", d.FullPageWrites, "a power failure can corrupt acknowledged events"})
	}

	if d.SynchronousCommit == off {
		found = append(found, Weakness{"synchronous_commit", d.SynchronousCommit, "a crash of the server loses events acknowledged just before it"})
	}

	if d.SynchronousCommit == "local" && d.Standbys != "" {
		found = append(found, Weakness{"synchronous_commit", d.SynchronousCommit, "a failover to a standby loses acknowledged events that it has not received"})
	}

	return found
}

const (
	// durabilitySQL reads what a commit waits for. It uses no table and takes no lock.
	durabilitySQL = `pg_catalog.current_setting('synchronous_commit'), pg_catalog.current_setting('fsync'), ` +
		`pg_catalog.current_setting('full_page_writes'), pg_catalog.current_setting('synchronous_standby_names')`

	// unsafeCommit is a setting that never exists. Reading it is the error by which a
	// transaction ends itself, with an SQLSTATE that no other statement of a commit returns.
	unsafeCommit = "theeye.unsafe_commit"
	// requireDurabilitySQL is durabilitySQL, and an error where a crash or a failover could lose
	// a commit. It states in SQL the rules that Weaknesses states in Go.
	requireDurabilitySQL = durabilitySQL + `, case when pg_catalog.current_setting('synchronous_commit') = 'off'
	or pg_catalog.current_setting('fsync') = 'off' or pg_catalog.current_setting('full_page_writes') = 'off'
	or pg_catalog.current_setting('synchronous_commit') = 'local' and pg_catalog.current_setting('synchronous_standby_names') <> ''
	then pg_catalog.current_setting('` + unsafeCommit + `') end`

	// waitSQL writes a record to the write-ahead log, so that the commit waits until
	// everything before the record is flushed and, where synchronous standbys are
	// configured, received by them. A transaction that wrote nothing waits for neither,
	// although it may have read what another commit has not finished waiting for
	// (PostgreSQL sources, RecordTransactionCommit; a transaction id alone is not enough).
	waitSQL = `pg_catalog.pg_logical_emit_message(true, 'the-eye', '')`
)

// settingsSQL are the columns that are read with every commit.
func (db *DB) settingsSQL() string {
	if db.requireDurability {
		return requireDurabilitySQL
	}

	return durabilitySQL
}

// confirmSQL is the last statement of a transaction whose answer is a promise: it makes the
// commit wait, and reads the settings that decide what the commit waits for.
func (db *DB) confirmSQL() string { return "select " + db.settingsSQL() + ", " + waitSQL }

// readDurability reads the columns of settingsSQL in their text form.
func readDurability(values [][]byte) (Durability, bool) {
	const columns = 4
	if len(values) < columns {
		return Durability{}, false
	}

	return Durability{
		SynchronousCommit: string(values[0]),
		Fsync:             string(values[1]),
		FullPageWrites:    string(values[2]),
		Standbys:          string(values[3]),
	}, true
}

// errUnsafeCommit reports that the database could lose what it commits, and that the service is
// configured to store nothing then.
var errUnsafeCommit = errors.New("the database is set up so that a crash or a failover could lose what it commits, and database.durability is require")

// isUnsafeCommit reports whether requireDurabilitySQL ended the transaction.
func isUnsafeCommit(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == stateUndefinedObject && strings.Contains(pg.Message, unsafeCommit)
}

// recordCommit records the durability settings of a commit.
func (db *DB) recordCommit(d Durability) {
	db.durability.recordSettings(d, true)
	if d.SynchronousCommit == "off" || d.SynchronousCommit == "local" { // the other values come from the server's configuration
		db.renewConnections()
	}
}

// recordUnsafeCommit reads and records the settings that made a transaction end itself.
func (db *DB) recordUnsafeCommit(ctx context.Context) {
	if _, err := db.ReadWeaknesses(ctx); err != nil {
		return // the database is down, which other signals show
	}

	db.renewConnections()
}

// renewConnections has connections replaced, at most once a minute: a corrected setting of a
// role or a database reaches a connection only when it is made.
func (db *DB) renewConnections() {
	if db.durability.shouldRenew() {
		db.write.Reset()
		db.change.Reset()
	}
}

// errNotReplicated reports that a commit stopped waiting for its synchronous standbys. The
// transaction is committed on this server alone, and a failover would lose it.
var errNotReplicated = errors.New("the commit was not confirmed by the synchronous standbys")

// syncWait is the routine of the server that warns when a commit stops waiting for its standbys
// because the wait was cancelled or the connection was ended. The warning is the only sign,
// since the COMMIT succeeds. Its text is translated, the name of the routine is not.
const syncWait = "SyncRepWaitForLSN"

// notReplicatedKey is the key under which a connection records that warning.
const notReplicatedKey = "theeye: not replicated"

// recordReplicationWarning is called for each notice that a connection receives.
func recordReplicationWarning(conn *pgconn.PgConn, notice *pgconn.Notice) {
	if notice.Routine == syncWait {
		conn.CustomData()[notReplicatedKey] = true
	}
}

// checkReplicated returns errNotReplicated when the commit that has just succeeded on a
// connection stopped waiting for its standbys.
func checkReplicated(conn *pgconn.PgConn) error {
	if _, warned := conn.CustomData()[notReplicatedKey]; !warned {
		return nil
	}

	delete(conn.CustomData(), notReplicatedKey)
	return errNotReplicated
}

// weaknessTTL is how long a weakness counts after a commit has shown it, even if later commits
// do not: settings of a role or a database reach each connection only when it is made.
const weaknessTTL = 15 * time.Second

// renewEvery is the shortest time between two renewals of the connections while
// synchronous_commit is weak.
const renewEvery = time.Minute

// durabilityMonitor holds the known weaknesses of the database. It is safe for concurrent use.
type durabilityMonitor struct {
	// last holds the settings recorded last, so that a commit that finds no change costs
	// nothing.
	last atomic.Pointer[Durability]
	// unsafeCommits counts commits that a crash or a failover could lose.
	unsafeCommits atomic.Int64
	report        func(found []Weakness)
	now           func() time.Time

	mu      sync.Mutex
	seen    map[Weakness]time.Time
	renewed time.Time
}

// shouldRenew reports whether it is time to renew the connections.
func (w *durabilityMonitor) shouldRenew() bool {
	w.mu.Lock()
	defer w.mu.Unlock()

	now := w.now()
	if now.Sub(w.renewed) < renewEvery {
		return false
	}

	w.renewed = now
	return true
}

// recordSettings records the settings of a commit or of a check. It calls report when a weakness
// appears, and when the last one is gone.
func (w *durabilityMonitor) recordSettings(d Durability, committed bool) {
	if last := w.last.Load(); last != nil && *last == d && len(d.Weaknesses()) == 0 && !w.hasWeakness() {
		return
	}

	w.last.Store(&d)
	found := d.Weaknesses()
	if committed && len(found) > 0 {
		w.unsafeCommits.Add(1)
	}

	w.mu.Lock()
	before := len(w.seen)
	changed := false
	for _, weakness := range found {
		if _, known := w.seen[weakness]; !known {
			changed = true
		}

		w.seen[weakness] = w.now()
	}

	if len(found) == 0 {
		for weakness, at := range w.seen {
			if w.now().Sub(at) > weaknessTTL {
				delete(w.seen, weakness)
			}
		}
	}

	changed = changed || before > 0 && len(w.seen) == 0
	current := w.currentLocked()
	w.mu.Unlock()

	if changed && w.report != nil {
		w.report(current)
	}
}

// hasWeakness reports whether a weakness is known.
func (w *durabilityMonitor) hasWeakness() bool {
	w.mu.Lock()
	defer w.mu.Unlock()

	return len(w.seen) > 0
}

// durableGauge returns 1 when no weakness is known, and 0 otherwise.
func (w *durabilityMonitor) durableGauge() int64 {
	if w.hasWeakness() {
		return 0
	}

	return 1
}

// currentWeaknesses returns the known weaknesses.
func (w *durabilityMonitor) currentWeaknesses() []Weakness {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.currentLocked()
}

func (w *durabilityMonitor) currentLocked() []Weakness {
	found := make([]Weakness, 0, len(w.seen))
	for weakness := range w.seen {
		found = append(found, weakness)
	}

	return found
}

// scanDurability reads a row of durabilitySQL, and the columns that follow.
func scanDurability(row pgx.Row, more ...any) (d Durability, err error) {
	err = row.Scan(append([]any{&d.SynchronousCommit, &d.Fsync, &d.FullPageWrites, &d.Standbys}, more...)...)
	return d, err
}
