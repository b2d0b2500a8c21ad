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

	"github.com/the-eye-events/the-eye/internal/fair"
)

// Config configures the connection to the database.
type Config struct {
	// URL is a connection string as libpq understands it.
	URL string
	// Pooled says that PgBouncer in transaction mode is in between: statements are not prepared,
	// and timeouts have to be set on the role.
	Pooled bool
	// WriteConnections are for lanes.
	WriteConnections int
	// ReadConnections are for queries, and are shared fairly among the callers. Edits,
	// erasures and background work have connections of their own, see ChangeConnections.
	ReadConnections int
	// ConnectTimeout bounds one attempt to connect.
	ConnectTimeout time.Duration
	// WriteTimeout bounds a statement on the write connections.
	WriteTimeout time.Duration
	// LockTimeout bounds a wait for a lock on the write connections: a group that waits
	// longer is split. 0 is a fifth of WriteTimeout.
	LockTimeout time.Duration
	// ReadTimeout bounds a statement and a wait for a lock on the read connections.
	ReadTimeout time.Duration
	// RequireDurability rejects every write while a crash or a failover of the database could
	// lose what it commits; otherwise the weakness is only reported.
	RequireDurability bool
	// ReportDurability is called with the weaknesses of the database when one appears, and with
	// none when the last one is gone. Several goroutines may call it at once. Nil reports
	// nothing.
	ReportDurability func(found []Weakness)
	// TracerProvider makes spans of the statements on the read connections that belong to a
	// sampled request. Nil makes none.
	TracerProvider trace.TracerProvider
}

// errBadURL replaces the parser's error, which may quote the password.
var errBadURL = errors.New("the database URL (database.url, THEEYE_DATABASE_URL) cannot be read: write postgres://user:password@host:5432/database")

// readPoolName is the name of the read connections in pg_stat_activity.
const readPoolName = "theeye read"

// DB is the connection pools. It is safe for concurrent use.
type DB struct {
	write *pgxpool.Pool
	read  *pgxpool.Pool
	// change is for edits, erasures, keys, event types, replays, dry runs and background work:
	// no query, and no number of queries, delays these.
	change *pgxpool.Pool
	// readShares shares out the read connections, and dryRunShares the dry runs.
	readShares, dryRunShares *fair.Shares
	// watch is for following changes of keys, which must not wait for other work.
	watch *pgxpool.Pool
	// pooled says that a transaction pooler is in between.
	pooled bool
	// lockTimeout bounds a wait for a lock on the write connections.
	lockTimeout time.Duration
	// requireDurability and durability concern the durability of commits.
	requireDurability bool
	durability        durabilityMonitor
}

// Open makes the pools. It does not connect: the database may be down.
func Open(ctx context.Context, config Config) (*DB, error) {
	if config.LockTimeout == 0 {
		const parts = 5
		config.LockTimeout = config.WriteTimeout / parts
	}

	write, err := openPool(ctx, config, "theeye write", config.WriteConnections, timeouts{config.WriteTimeout, config.LockTimeout})
	if err != nil {
		return nil, err
	}

	read, err := openPool(ctx, config, readPoolName, config.ReadConnections, timeouts{config.ReadTimeout, config.ReadTimeout})
	if err != nil {
		write.Close()
		return nil, err
	}

	change, err := openPool(ctx, config, "theeye change", ChangeConnections, timeouts{config.ReadTimeout, config.ReadTimeout})
	if err != nil {
		write.Close()
		read.Close()
		return nil, err
	}

	watch, err := openPool(ctx, config, "theeye watch", watchConnections, timeouts{config.WriteTimeout, config.WriteTimeout})
	if err != nil {
		write.Close()
		read.Close()
		change.Close()
		return nil, err
	}

	return &DB{
		write:             write,
		read:              read,
		change:            change,
		watch:             watch,
		readShares:        newReadShares(config.ReadConnections),
		dryRunShares:      newDryRunShares(),
		pooled:            config.Pooled,
		lockTimeout:       config.LockTimeout,
		requireDurability: config.RequireDurability,
		durability: durabilityMonitor{
			report: config.ReportDurability,
			now:    time.Now, //nolint:forbidigo // it only spaces reports
			seen:   map[Weakness]time.Time{},
		},
	}, nil
}

// ChangeConnections are for a few changes at once and for each kind of background work.
const ChangeConnections = 6

// watchConnections are few: one poll or probe runs at a time, and one more may hang.
const watchConnections = 2

// timeouts bound the waits of a connection.
type timeouts struct{ statement, lock time.Duration }

func openPool(ctx context.Context, config Config, name string, connections int, bounds timeouts) (*pgxpool.Pool, error) {
	const lifetime = 30 * time.Minute
	pool, err := parsePoolURL(config.URL)
	if err != nil {
		return nil, err
	}

	pool.MaxConns = int32(connections) //nolint:gosec // bounded by config
	pool.MaxConnLifetime = lifetime
	pool.MaxConnLifetimeJitter = lifetime / 5
	pool.ConnConfig.ConnectTimeout = config.ConnectTimeout

	pool.ConnConfig.OnNotice = recordReplicationWarning
	if config.TracerProvider != nil && name == readPoolName {
		pool.ConnConfig.Tracer = otelpgx.NewTracer(
			otelpgx.WithTracerProvider(config.TracerProvider),
			otelpgx.WithMeterProvider(noop.NewMeterProvider()),
			otelpgx.WithDisableConnectionDetailsInAttributes(),
		)
	}

	if config.Pooled {
		pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
		pool.ConnConfig.StatementCacheCapacity = 0
		pool.ConnConfig.DescriptionCacheCapacity = 0
		pool.AfterConnect = registerParameterTypes
	} else {
		maps.Copy(pool.ConnConfig.RuntimeParams, startupParameters(name, bounds))
	}

	made, err := pgxpool.NewWithConfig(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("make the connection pool: %w", err)
	}

	return made, nil
}

// startupParameters returns the parameters with which a connection starts. A pooler in
// transaction mode cannot keep them for one client.
func startupParameters(name string, bounds timeouts) map[string]string {
	statement := strconv.FormatInt(bounds.statement.Milliseconds(), 10)
	return map[string]string{
		"application_name":                    name,
		"statement_timeout":                   statement,
		"lock_timeout":                        strconv.FormatInt(bounds.lock.Milliseconds(), 10),
		"idle_in_transaction_session_timeout": statement,
	}
}

// registerParameterTypes registers the types of parameters that cannot be derived when a
// statement is not described before it is run.
func registerParameterTypes(_ context.Context, conn *pgx.Conn) error {
	types := conn.TypeMap()
	types.RegisterDefaultPgType([16]byte{}, "uuid")
	types.RegisterDefaultPgType([][16]byte{}, "_uuid")
	types.RegisterDefaultPgType([]*[16]byte{}, "_uuid")

	return nil
}

// Close closes the pools and waits until every connection is released.
func (db *DB) Close() {
	db.watch.Close()
	db.change.Close()
	db.read.Close()
	db.write.Close()
}

// Ping checks that the database answers, and records its durability settings.
func (db *DB) Ping(ctx context.Context) error {
	found, err := scanDurability(db.watch.QueryRow(ctx, "select "+durabilitySQL))
	if err != nil {
		return translateError(err, "ping")
	}

	db.durability.recordSettings(found, false)
	return nil
}

// ReadWeaknesses reads the settings of the connections that store events, and returns those that
// break the promise that an acknowledged event survives a crash.
func (db *DB) ReadWeaknesses(ctx context.Context) ([]Weakness, error) {
	found, err := scanDurability(db.write.QueryRow(ctx, "select "+durabilitySQL))
	if err != nil {
		return nil, translateError(err, "read the server's settings")
	}

	db.durability.recordSettings(found, false)
	return found.Weaknesses(), nil
}

// Weaknesses returns the weaknesses that commits have shown, without a query.
func (db *DB) Weaknesses() []Weakness { return db.durability.currentWeaknesses() }
