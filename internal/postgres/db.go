package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
)

// Config says how to reach the database.
type Config struct {
	// URL is a connection string as libpq understands it.
	URL string
	// Pooled tells that PgBouncer in transaction mode stands between: statements
	// are not prepared, and timeouts have to be set at the role.
	Pooled bool
	// WriteConnections are for lanes.
	WriteConnections int
	// ReadConnections are for everything else: queries, edits, erasures and
	// housekeeping never starve what comes in.
	ReadConnections int
	// ConnectTimeout bounds one attempt to connect.
	ConnectTimeout time.Duration
	// WriteTimeout bounds a statement and a wait for a lock on the write connections.
	WriteTimeout time.Duration
	// ReadTimeout does the same on the read connections.
	ReadTimeout time.Duration
	// TracerProvider makes spans of the statements on the read connections that
	// belong to a sampled request. Nil makes none.
	TracerProvider trace.TracerProvider
}

// errBadURL stands in for the parser's error, which may quote the password.
var errBadURL = errors.New("the database URL (database.url, THEEYE_DATABASE_URL) cannot be read: write postgres://user:password@host:5432/database")

// readName is what the read connections are called in pg_stat_activity.
const readName = "theeye read"

// DB is the connection pools. It is safe for concurrent use.
type DB struct {
	write *pgxpool.Pool
	read  *pgxpool.Pool
	// watch is for following changes of keys, which must not wait for anything else.
	watch *pgxpool.Pool
	// pooled tells that a transaction pooler stands between.
	pooled bool
}

// Open makes the pools. It does not connect: the database may be away.
func Open(ctx context.Context, config Config) (*DB, error) {
	write, err := openPool(ctx, config, "theeye write", config.WriteConnections, config.WriteTimeout)
	if err != nil {
		return nil, err
	}
	read, err := openPool(ctx, config, readName, config.ReadConnections, config.ReadTimeout)
	if err != nil {
		write.Close()
		return nil, err
	}
	watch, err := openPool(ctx, config, "theeye watch", watchConnections, config.WriteTimeout)
	if err != nil {
		write.Close()
		read.Close()
		return nil, err
	}
	return &DB{write: write, read: read, watch: watch, pooled: config.Pooled}, nil
}

// watchConnections are few: one poll or probe runs at a time, and one more may hang.
const watchConnections = 2

func openPool(ctx context.Context, config Config, name string, connections int, timeout time.Duration) (*pgxpool.Pool, error) {
	const lifetime = 30 * time.Minute
	pool, err := pgxpool.ParseConfig(config.URL)
	if err != nil {
		return nil, errBadURL
	}
	pool.MaxConns = int32(connections) //nolint:gosec // bounded by config
	pool.MaxConnLifetime = lifetime
	pool.MaxConnLifetimeJitter = lifetime / 5
	pool.ConnConfig.ConnectTimeout = config.ConnectTimeout
	if config.TracerProvider != nil && name == readName {
		pool.ConnConfig.Tracer = otelpgx.NewTracer(
			otelpgx.WithTracerProvider(config.TracerProvider), otelpgx.WithMeterProvider(noop.NewMeterProvider()), otelpgx.WithDisableConnectionDetailsInAttributes(),
		)
	}
	if config.Pooled {
		pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
		pool.ConnConfig.StatementCacheCapacity = 0
		pool.ConnConfig.DescriptionCacheCapacity = 0
		pool.AfterConnect = nameTypes
	} else {
		maps.Copy(pool.ConnConfig.RuntimeParams, startupParameters(name, timeout))
	}
	made, err := pgxpool.NewWithConfig(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("make the connection pool: %w", err)
	}
	return made, nil
}

// startupParameters are what a connection begins with. No pooler in transaction mode can
// keep them for one client.
func startupParameters(name string, timeout time.Duration) map[string]string {
	milliseconds := strconv.FormatInt(timeout.Milliseconds(), 10)
	return map[string]string{
		"application_name": name, "statement_timeout": milliseconds, "lock_timeout": milliseconds,
		"idle_in_transaction_session_timeout": milliseconds,
	}
}

// nameTypes says which types the parameters have that nothing else tells when a
// statement is not described before it is run.
func nameTypes(_ context.Context, conn *pgx.Conn) error {
	types := conn.TypeMap()
	types.RegisterDefaultPgType([16]byte{}, "uuid")
	types.RegisterDefaultPgType([][16]byte{}, "_uuid")
	types.RegisterDefaultPgType([]*[16]byte{}, "_uuid")
	return nil
}

// Close closes the pools and waits until every connection was given back.
func (db *DB) Close() {
	db.watch.Close()
	db.read.Close()
	db.write.Close()
}

// Ping asks the database for a sign of life.
func (db *DB) Ping(ctx context.Context) error {
	return translate(db.watch.Ping(ctx), "ping")
}

// Weakness is a setting of the database that breaks a promise of the service.
type Weakness struct {
	Setting string
	Value   string
	Effect  string
}

// settingsSQL uses no table and takes no lock.
const settingsSQL = `select current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')`

// Weaknesses returns the settings that break the promise that an acknowledged
// event survives a crash.
func (db *DB) Weaknesses(ctx context.Context) ([]Weakness, error) {
	var fsync, pages, commit string
	if err := db.write.QueryRow(ctx, settingsSQL).Scan(&fsync, &pages, &commit); err != nil {
		return nil, translate(err, "read the server's settings")
	}
	var found []Weakness
	if fsync == "off" {
		found = append(found, Weakness{"fsync", fsync, "a crash of the server can lose or corrupt acknowledged events"})
	}
	if pages == "off" {
		found = append(found, Weakness{"full_page_writes", pages, "a power failure can corrupt acknowledged events"})
	}
	if commit == "off" {
		found = append(found, Weakness{"synchronous_commit", commit, "a crash of the server loses events acknowledged just before it"})
	}
	return found, nil
}
