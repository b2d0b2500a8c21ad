package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/pathindex"
	"github.com/the-eye-events/the-eye/internal/query"
)

// PathIndexStore builds and drops indexes of payloads. It implements the interfaces of package
// pathindex and is safe for concurrent use, also by several replicas.
//
// Each partition has an index of its own: an index of the partitioned table could neither be
// built nor dropped without making writers wait. The index holds a hash of the value, since a
// value can be longer than an index entry may be, and must not be refused for its length.
type PathIndexStore struct{ db *DB }

var (
	_ pathindex.Source = (*PathIndexStore)(nil)
	_ pathindex.Store  = (*PathIndexStore)(nil)
	_ query.PathStore  = (*QueryStore)(nil)
)

// NewPathIndexStore makes a store on a database whose schema is current.
func NewPathIndexStore(db *DB) *PathIndexStore { return &PathIndexStore{db: db} }

// markedSQL scans event_type, which is small. A schema without the word marks no path.
const markedSQL = `
select t.category, t.name, v.schema::text
from event_type t join event_type_version v on v.event_type_id = t.event_type_id and v.version = t.version
where t.deleted_at is null and v.schema::text like '%x-theeye%'
order by t.event_type_id`

// WantedPaths implements pathindex.Source.
func (s *PathIndexStore) WantedPaths(ctx context.Context) ([]pathindex.Path, error) {
	rows, err := s.db.change.Query(ctx, markedSQL) //nolint:rowserrcheck // ForEachRow returns it
	if err != nil {
		return nil, translateError(err, "read marked paths")
	}

	var wanted []pathindex.Path
	var category, name, schema string
	_, err = pgx.ForEachRow(rows, []any{&category, &name, &schema}, func() error {
		marked, err := pathindex.MarkedPaths([]byte(schema))
		for _, steps := range marked {
			wanted = append(wanted, pathindex.Path{Category: category, Name: name, Steps: steps})
		}

		return err
	})
	return wanted, translateError(err, "read marked paths")
}

// pathIndexPrefix, the hash of a path and the partition's number make the name of an index.
const pathIndexPrefix = "event_data_"

// isPathIndexSQL is the condition for indexes i on tables t of this kind.
const isPathIndexSQL = `i.relname ~ ('^event_data_[0-9a-f]{16}_' || t.oid || '$')`

// pathHash returns the same hash for equal paths of equal types, and distinct hashes otherwise.
func pathHash(p pathindex.Path) string {
	text, _ := json.Marshal(append([]string{p.Category, p.Name}, p.Steps...)) // strings cannot fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// partitionsSQL begins the statements about the partitions of event. It reads the
// catalogue and takes no lock.
const partitionsSQL = `
with t as (select c.oid, c.relname from pg_inherits h join pg_class c on c.oid = h.inhrelid
	where h.inhparent = to_regclass('event') and not h.inhdetachpending and c.relkind = 'r')`

// pathIndexesSQL reads the existing indexes, which of them are half built, and which are being
// built now.
const pathIndexesSQL = partitionsSQL + `
select t.oid::bigint, coalesce(i.relname::text, ''), coalesce(x.indisvalid, false),
	exists (select from pg_stat_progress_create_index g where g.datname = current_database() and g.index_relid = i.oid)
from t left join (pg_index x join pg_class i on i.oid = x.indexrelid) on x.indrelid = t.oid and ` + isPathIndexSQL + `
order by t.relname desc`

// buildPathIndexSQL renders the statement that builds an index. The server quotes the values.
const buildPathIndexSQL = `
select format('create index concurrently if not exists %I on %s ((hashtextextended(data #>> %L::text[], 0)), "timestamp") where category = %L and name = %L',
	$1::text, $2::bigint::oid::regclass, $3::text[], $4::text, $5::text)`

// indexTask is an index to build or to drop.
type indexTask struct {
	name      string
	partition int64
	path      *pathindex.Path // nil: drop it
}

// ReconcileIndexes implements pathindex.Store.
func (s *PathIndexStore) ReconcileIndexes(ctx context.Context, wanted []pathindex.Path) (done pathindex.Result, err error) {
	tasks, err := s.planTasks(ctx, wanted)
	if err != nil || len(tasks) == 0 {
		return done, translateError(err, "read the indexes of payloads")
	}

	conn, err := s.db.change.Acquire(ctx)
	if err != nil {
		return done, translateError(err, "build indexes of payloads")
	}
	defer conn.Release()

	// Building an index has no time limit. Behind a pooler the timeouts of the role hold: a
	// setting made here would affect another client.
	if !s.db.pooled {
		if err := runStatements(ctx, conn, "set statement_timeout = 0; set lock_timeout = 0"); err != nil {
			return done, translateError(err, "build indexes of payloads")
		}

		defer func() {
			if runStatements(ctx, conn, "reset statement_timeout; reset lock_timeout") != nil {
				_ = conn.Conn().Close(ctx) // the pool opens another one
			}
		}()
	}

	for _, t := range tasks {
		if t.path == nil {
			if err := runStatements(ctx, conn, "drop index concurrently if exists "+t.name); err != nil {
				return done, translateError(err, "drop "+t.name)
			}

			done.Dropped++
			continue
		}

		if err := buildIndex(ctx, conn, t); err != nil {
			return done, translateError(err, "build "+t.name)
		}

		done.Built++
	}

	return done, nil
}

// planTasks plans the work: first the indexes to drop, then those to build, the newest partition
// first. It plans none while another replica builds.
func (s *PathIndexStore) planTasks(ctx context.Context, wanted []pathindex.Path) (tasks []indexTask, err error) {
	rows, err := s.db.change.Query(ctx, pathIndexesSQL)
	if err != nil {
		return nil, err
	}

	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
		Partition       int64
		Index           string
		Valid, Building bool
	}])
	if err != nil {
		return nil, err
	}

	named := func(partition int64, p pathindex.Path) string {
		return fmt.Sprintf("%s%s_%d", pathIndexPrefix, pathHash(p), partition)
	}
	missing := []indexTask{}
	seen := map[int64]bool{}
	valid := map[string]bool{}
	for _, f := range found {
		valid[f.Index] = f.Valid
		if f.Building {
			return nil, nil
		}
	}

	keep := map[string]bool{}
	for _, f := range found {
		if seen[f.Partition] {
			continue
		}

		seen[f.Partition] = true
		for _, p := range wanted {
			name := named(f.Partition, p)
			if keep[name] = valid[name]; !valid[name] {
				missing = append(missing, indexTask{name: name, partition: f.Partition, path: &p})
			}
		}
	}

	for _, f := range found {
		if f.Index != "" && !keep[f.Index] {
			tasks = append(tasks, indexTask{name: f.Index})
		}
	}

	return append(tasks, missing...), nil
}

// buildIndex builds an index. The planner uses no statistics of partial indexes, so there is
// nothing to analyze.
func buildIndex(ctx context.Context, conn *pgxpool.Conn, t indexTask) error {
	var create string
	err := conn.QueryRow(ctx, buildPathIndexSQL, t.name, t.partition, t.path.Steps, t.path.Category, t.path.Name).Scan(&create)
	if err != nil {
		return err
	}

	return runStatements(ctx, conn, create)
}

// runStatements runs statements that must not be part of a transaction.
func runStatements(ctx context.Context, conn *pgxpool.Conn, statements string) error {
	_, err := conn.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol)
	return err
}

// pathIndexedSQL reads the catalogue. A partition that was just created has no index for a
// minute: it is small, and scanned.
const pathIndexedSQL = partitionsSQL + `, there as (
	select t.oid, i.relname, pg_relation_size(t.oid) > 67108864 as large
	from t left join (pg_index x join pg_class i on i.oid = x.indexrelid) on x.indrelid = t.oid and x.indisvalid and ` + isPathIndexSQL + `)
select exists (select from there where there.relname = 'event_data_' || h.hash || '_' || there.oid)
	and not exists (select from there l where l.large
		and not exists (select from there where there.oid = l.oid and there.relname = 'event_data_' || h.hash || '_' || there.oid))
from unnest($1::text[]) with ordinality h (hash, place) order by h.place`

// FindIndexed implements query.PathStore.
func (s *QueryStore) FindIndexed(ctx context.Context, category, name string, paths []query.DataPath) ([]bool, error) {
	hashes := make([]string, len(paths))
	for n, steps := range paths {
		hashes[n] = pathHash(pathindex.Path{Category: category, Name: name, Steps: steps})
	}

	rows, err := s.db.read.Query(ctx, pathIndexedSQL, hashes)
	if err != nil {
		return nil, translateError(err, "look for indexes of payloads")
	}

	found, err := pgx.CollectRows(rows, pgx.RowTo[bool])
	return found, translateError(err, "look for indexes of payloads")
}
