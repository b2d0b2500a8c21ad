package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/doctor"
)

// WatchConnections is the number of connections that follow changes of keys, in each process.
const WatchConnections = watchConnections

// inspectTimeout bounds each query of an inspection.
const inspectTimeout = 10 * time.Second

// Inspector inspects a database. Every query has a read-only transaction of its own and never
// waits long for a lock. It implements doctor.Inspector.
type Inspector struct {
	pool   *pgxpool.Pool
	config Config
	now    func() time.Time
}

var _ doctor.Inspector = (*Inspector)(nil)

// NewInspector makes an inspector with one connection, which starts like those of the service.
// It does not connect: the database may be down. now is the clock of this machine.
func NewInspector(ctx context.Context, config Config, now func() time.Time) (*Inspector, error) {
	pool, err := parsePoolURL(config.URL)
	if err != nil {
		return nil, err
	}

	pool.MaxConns = 1
	pool.ConnConfig.ConnectTimeout = config.ConnectTimeout
	pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	pool.ConnConfig.StatementCacheCapacity = 0
	pool.ConnConfig.DescriptionCacheCapacity = 0
	if !config.Pooled {
		pool.ConnConfig.RuntimeParams["application_name"] = "theeye doctor"
	}

	made, err := pgxpool.NewWithConfig(ctx, pool)
	if err != nil {
		return nil, fmt.Errorf("make the connection pool: %w", err)
	}

	return &Inspector{pool: made, config: config, now: now}, nil
}

// Close closes the connection.
func (i *Inspector) Close() { i.pool.Close() }

// InspectDatabase implements doctor.Inspector.
func (i *Inspector) InspectDatabase(ctx context.Context) doctor.Database {
	reach, cancel := context.WithTimeout(ctx, inspectTimeout)
	err := i.pool.Ping(reach)
	cancel()
	if err != nil {
		return doctor.Database{Err: conciseError(err)}
	}

	pooler := i.readPooler(ctx)
	if pooler.Value.NoTransactions {
		return doctor.Database{Pooler: pooler}
	}

	return doctor.Database{
		Pooler:       pooler,
		Server:       readFact(ctx, i, readServer),
		Schema:       readFact(ctx, i, readSchema),
		Settings:     readFact(ctx, i, readSettings),
		Overrides:    readFact(ctx, i, readOverrides),
		Connections:  readFact(ctx, i, readConnections),
		Tables:       readFact(ctx, i, readTables),
		Indexes:      readFact(ctx, i, readIndexes),
		Constraints:  readFact(ctx, i, readConstraints),
		Additions:    readFact(ctx, i, readAdditions),
		Partitions:   readFact(ctx, i, readPartitions),
		Detached:     readFact(ctx, i, readDetached),
		Ages:         readFact(ctx, i, readAges),
		Transactions: readFact(ctx, i, readTransactions),
		Waits:        readFact(ctx, i, readWaits),
		Slots:        readFact(ctx, i, readSlots),
		Sizes:        readFact(ctx, i, readSizes),
		Privileges:   readFact(ctx, i, readPrivileges),
		Trust:        readFact(ctx, i, readSchemaTrust),
		PublicKeys:   readFact(ctx, i, readPublicKeys),
		Clock:        readFact(ctx, i, i.readClock),
	}
}

// boundsSQL begins each transaction. Times are read in UTC and in the format that is parsed.
const boundsSQL = `
set local statement_timeout = '10s'; set local lock_timeout = '2s'; set local idle_in_transaction_session_timeout = '20s';
set local timezone = 'UTC'; set local datestyle = 'ISO'`

// readFact runs one query.
func readFact[T any](ctx context.Context, i *Inspector, read func(context.Context, pgx.Tx) (T, error)) (fact doctor.Fact[T]) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()

	err := pgx.BeginTxFunc(ctx, i.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, boundsSQL); err != nil {
			return err
		}

		var err error
		fact.Value, err = read(ctx, tx)
		return err
	})
	if err != nil {
		return doctor.Fact[T]{Err: conciseError(err)}
	}

	return fact
}

// readAll reads all rows of a query into values by position.
func readAll[T any](ctx context.Context, tx pgx.Tx, sql string, arguments ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, err
	}

	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}

// readOne reads the only row of a query.
func readOne[T any](ctx context.Context, tx pgx.Tx, sql string, arguments ...any) (T, error) {
	rows, err := tx.Query(ctx, sql, arguments...)
	if err != nil {
		var zero T
		return zero, err
	}

	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[T])
}

// conciseError says why a fact could not be read. The server's details beyond its message, and
// the wrappings of the driver, do not help a reader.
func conciseError(err error) error {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fmt.Errorf("%s (SQLSTATE %s)", pg.Message, pg.Code)
	}

	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}

	return deduplicateLines(err)
}

// tableNames returns the tables of the schema, the partitioned ones included.
func tableNames() []string {
	return []string{
		"application", "api_key", "access_version", "session", eventTable, "event_key", "event_amendment",
		rejectionTable, "rejection_count", "group_timing", "event_type", "event_type_version", "event_type_revision", "audit_entry",
		"expired_partition", "erasure",
	}
}

// schemaTablesSQL begins the statements about the service's tables and partitions.
const schemaTablesSQL = `
with ours as (
	select c.oid, c.relname::text as name, '' as parent, c.relowner, c.relkind, c.reloptions, c.relfrozenxid
	from unnest($1::text[]) t (name) join pg_class c on c.oid = to_regclass(t.name)
	union all
	select c.oid, c.relname, p.relname, c.relowner, c.relkind, c.reloptions, c.relfrozenxid
	from pg_class p join pg_inherits i on i.inhparent = p.oid join pg_class c on c.oid = i.inhrelid
	where p.oid in (to_regclass('event'), to_regclass('rejection')) and not i.inhdetachpending
)`

// The entries of pg_index and pg_constraint in a schema that was just migrated. A test compares
// them with the migrations.
const (
	expectedIndexes = `
application application_pkey application_name_key
api_key api_key_pkey
access_version access_version_pkey
session session_pkey session_started_at_idx session_erased_at_idx
event event_pkey event_timestamp_idx event_category_idx event_transaction_id_idx event_violations_idx
event_key event_key_pkey
event_amendment event_amendment_pkey event_amendment_session_id_idx event_amendment_timestamp_idx
rejection rejection_pkey rejection_session_id_idx
rejection_count rejection_count_pkey
group_timing group_timing_pkey
event_type event_type_pkey event_type_category_name_key
event_type_version event_type_version_pkey
event_type_revision event_type_revision_pkey
audit_entry audit_entry_pkey
expired_partition expired_partition_pkey
erasure erasure_pkey erasure_ask_digest_idx erasure_requested_at_idx`
	expectedConstraints = `
application application_pkey application_name_key application_rate_limit_check
api_key api_key_pkey api_key_application_id_fkey api_key_secret_hash_check api_key_scopes_check api_key_public_check
access_version access_version_pkey access_version_singleton_check
session session_pkey session_event_count_check session_span_check session_erased_check
event event_pkey event_sequence_check
event_key event_key_pkey
event_amendment event_amendment_pkey event_amendment_original_digest_check
rejection rejection_pkey rejection_status_check rejection_outcome_check
rejection_count rejection_count_pkey
group_timing group_timing_pkey group_timing_took_us_check
event_type event_type_pkey event_type_category_name_key event_type_version_check
event_type_version event_type_version_pkey event_type_version_event_type_id_fkey event_type_version_mode_check
event_type_revision event_type_revision_pkey event_type_revision_singleton_check event_type_revision_hash_key_check
audit_entry audit_entry_pkey
expired_partition expired_partition_pkey expired_partition_parent_table_check expired_partition_ends_at_check
erasure erasure_pkey erasure_step_check erasure_digest_check erasure_asked_check erasure_finished_check`
)

// parseExpected reads one of the lists: on each line a table and its names.
func parseExpected(text string) (names []doctor.Name) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		fields := strings.Fields(line)
		for _, name := range fields[1:] {
			names = append(names, doctor.Name{Table: fields[0], Name: name})
		}
	}

	return names
}

// readSchema reads the version of the schema; without goose's table it is 0.
func readSchema(ctx context.Context, tx pgx.Tx) (s doctor.Schema, err error) {
	if s.Needed, err = newestMigration(); err != nil {
		return s, err
	}

	s.Indexes = parseExpected(expectedIndexes)
	s.Constraints = parseExpected(expectedConstraints)
	var found bool
	if err = tx.QueryRow(ctx, "select to_regclass('"+versionTable+"') is not null").Scan(&found); err != nil || !found {
		return s, err
	}

	err = tx.QueryRow(ctx, versionSQL).Scan(&s.Version)
	return s, err
}
