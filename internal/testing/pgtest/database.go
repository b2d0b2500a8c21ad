package pgtest

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

const (
	startTimeout = 2 * time.Minute
	dropTimeout  = 30 * time.Second
	maxLabel     = 40
)

// Database is a database of one test. Its methods are safe for concurrent use.
type Database struct {
	cluster *cluster
	name    string
}

// New gives the test a new database with the schema of WithMigrations. It is dropped
// when the test passes, even with open connections; when the test fails, it stays and
// its DSN is logged. New is safe in parallel tests. Without a Postgres server on the
// machine it fails the test.
func New(t testing.TB) *Database {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()

	c, err := state.sharedCluster(ctx)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}

	name, err := c.createDatabase(ctx, databaseLabel(t.Name()))
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}

	d := &Database{cluster: c, name: name}
	t.Cleanup(func() { d.dropUnlessFailed(t) })
	return d
}

// NewEmpty is New without a schema.
func NewEmpty(t testing.TB) *Database {
	t.Helper()
	return newWithoutSchema(t, func(*cluster) string { return "" })
}

// NewEncoded is NewEmpty with another encoding than UTF8, such as LATIN1.
func NewEncoded(t testing.TB, encoding string) *Database {
	t.Helper()
	return newWithoutSchema(t, func(c *cluster) string { return c.encodingClause(encoding) })
}

func newWithoutSchema(t testing.TB, tail func(*cluster) string) *Database {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()

	c, err := state.sharedCluster(ctx)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}

	name, err := c.createDatabaseFrom(ctx, databaseLabel(t.Name()), tail(c))
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}

	d := &Database{cluster: c, name: name}
	t.Cleanup(func() { d.dropUnlessFailed(t) })
	return d
}

// dropUnlessFailed drops the database of a test that passed.
func (d *Database) dropUnlessFailed(t testing.TB) {
	t.Helper()
	if t.Failed() {
		state.markFailed()
		if keepsServer() {
			t.Logf("pgtest: database kept: %s", d.DSN())
		} else {
			t.Logf("pgtest: this test's database was %s; set %s=1 to keep its server", d.name, keepVariable)
		}

		return
	}

	ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
	defer cancel()

	if err := d.cluster.dropDatabase(ctx, d.name); err != nil {
		t.Errorf("pgtest: %v", err)
	}
}

// NewDedicated gives the test a database on its own durable server, which it may Kill,
// Freeze and Restart through Server. The server is stopped and deleted when the test
// ends. Without options the migrations are Main's. It costs a second or two.
func NewDedicated(t testing.TB, options ...Option) *Database {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()

	c := newDedicatedCluster(t, dedicatedSettings(options))
	name, err := c.createDatabase(ctx, databaseLabel(t.Name()))
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}

	return &Database{cluster: c, name: name}
}

// dedicatedSettings applies options to the settings of Main.
func dedicatedSettings(options []Option) settings {
	s := newSettings(options)
	if s.migrate == nil {
		s.migrate = state.mainSettings().migrate
	}

	return s
}

// newDedicatedCluster starts a durable server that is stopped and deleted when the test ends.
func newDedicatedCluster(t testing.TB, s settings) *cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()

	c, err := newCluster(ctx, s, true)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}

	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()

		if err := c.close(ctx); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return c
}

// databaseLabel turns a test's name into a part of a database's name, which has 63 bytes.
func databaseLabel(name string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '_'
		}
	}, name)
	return clean[:min(len(clean), maxLabel)]
}

// DSN returns the database's connection URL, for pgx.
func (d *Database) DSN() string { return d.cluster.server.DSN(d.name) }

// DSNAs is DSN for another role, which must exist. It needs no password.
func (d *Database) DSNAs(role string) string {
	u, err := url.Parse(d.DSN())
	if err != nil { // it was made by url.URL
		panic(err)
	}

	u.User = url.User(role)
	return u.String()
}

// Name returns the database's name.
func (d *Database) Name() string { return d.name }

// Server returns the server of the database. Only a test that called NewDedicated may
// change its state.
func (d *Database) Server() *localpg.Server { return d.cluster.server }

// Pool opens a connection pool that is closed when the test ends.
func (d *Database) Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), d.DSN())
	if err != nil {
		t.Fatalf("pgtest: opening a pool: %v", err)
	}

	t.Cleanup(pool.Close)
	return pool
}
