package pgtest

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

// Pair is a database of one test on a durable primary, and the standby that follows it.
// Its methods are safe for concurrent use. A method that cannot change the state of a
// server fails the test.
type Pair struct {
	primary *Database
	standby *localpg.Server
	frozen  atomic.Bool
}

// NewPair gives the test a database on its own durable primary, with a standby. Commits
// wait until the standby has flushed them (synchronous_standby_names is '*'), unless
// WithAsynchronousStandby is among the options; the others are those of NewDedicated.
// Both servers are stopped and deleted when the test ends. It costs about two seconds.
func NewPair(t testing.TB, options ...Option) *Pair {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()

	s := dedicatedSettings(options)
	c := newDedicatedCluster(t, s)
	name, err := c.createDatabase(ctx, databaseLabel(t.Name()))
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}

	standby, err := c.server.StartStandby(ctx, filepath.Join(c.dir, standbyName))
	if err != nil {
		t.Fatalf("pgtest: starting a standby: %v", err)
	}

	// It runs before the cleanup of the primary, which waits for it when it is stopped.
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()

		if err := standby.Stop(ctx); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	if err := c.server.AwaitStandby(ctx, !s.asynchronous); err != nil {
		t.Fatalf("pgtest: %v", err)
	}

	return &Pair{primary: &Database{cluster: c, name: name}, standby: standby}
}

// PrimaryDSN returns the connection URL of the database on the primary.
func (p *Pair) PrimaryDSN() string { return p.primary.DSN() }

// StandbyDSN returns the connection URL of the same database on the standby.
func (p *Pair) StandbyDSN() string { return p.standby.DSN(p.primary.name) }

// DSN returns a connection URL that names both servers and leads to the primary, as a
// service uses that has to survive a failover.
func (p *Pair) DSN() string {
	primary := mustParse(p.PrimaryDSN())
	standby := mustParse(p.StandbyDSN())
	one := primary.Query()
	other := standby.Query()
	primary.RawQuery = url.Values{
		"host":                 {one.Get("host") + "," + other.Get("host")},
		"port":                 {one.Get("port") + "," + other.Get("port")},
		"target_session_attrs": {"read-write"},
	}.Encode()
	return primary.String()
}

// mustParse parses a URL of this package.
func mustParse(dsn string) *url.URL {
	u, err := url.Parse(dsn)
	if err != nil { // it was made by url.URL
		panic(err)
	}

	return u
}

// Primary returns the server that is the primary when the test begins.
func (p *Pair) Primary() *localpg.Server { return p.primary.Server() }

// FreezeStandby makes the standby stop answering, as when its machine hangs: with
// synchronous replication no commit ends from now on.
func (p *Pair) FreezeStandby(t testing.TB) {
	t.Helper()
	p.frozen.Store(true)
	if err := p.standby.Freeze(); err != nil {
		t.Fatalf("pgtest: freezing the standby: %v", err)
	}
}

// ThawStandby lets a frozen standby continue; commits that waited for it end.
func (p *Pair) ThawStandby(t testing.TB) {
	t.Helper()
	p.frozen.Store(false)
	if err := p.standby.Thaw(); err != nil {
		t.Fatalf("pgtest: thawing the standby: %v", err)
	}
}

// KillPrimary kills every process of the primary, which stays down.
func (p *Pair) KillPrimary(t testing.TB) {
	t.Helper()
	if err := p.Primary().Kill(); err != nil {
		t.Fatalf("pgtest: killing the primary: %v", err)
	}
}

// Promote makes the standby the primary, whose commits wait for no standby. A frozen
// standby is killed and started again first: otherwise it would find in its socket the
// data that the primary sent meanwhile, which a machine that hung would not have.
func (p *Pair) Promote(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()

	if p.frozen.Swap(false) {
		if err := errors.Join(p.standby.Kill(), p.standby.Restart(ctx)); err != nil {
			t.Fatalf("pgtest: starting the standby again: %v", err)
		}
	}

	if err := p.standby.Promote(ctx); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
}

// CommitsWaiting returns the number of transactions of the primary that have written their
// commit and wait for the standby.
func (p *Pair) CommitsWaiting(t testing.TB) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()

	conn, err := pgx.Connect(ctx, p.primary.cluster.server.DSN("postgres"))
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is pending on it

	var waiting int
	const statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'SyncRep'"
	if err := conn.QueryRow(ctx, statement, p.primary.name).Scan(&waiting); err != nil {
		t.Fatalf("pgtest: %v", err)
	}

	return waiting
}
