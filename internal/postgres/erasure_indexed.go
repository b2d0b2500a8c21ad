package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/pathindex"
)

// indexedPaths are the paths whose indexes lead to all events of a partition that may match: one
// for each type of which the partition has events. It is empty if the partition has to be
// scanned.
type indexedPaths []pathindex.Path

const (
	// partitionIndexesSQL reads the catalogue and takes no lock.
	partitionIndexesSQL = partitionsSQL + `
select i.relname::text from t join pg_index x on x.indrelid = t.oid join pg_class i on i.oid = x.indexrelid
where t.relname = $1 and x.indisvalid and ` + isPathIndexSQL
	// otherTypesSQL walks a partition's index by category, without its rows, until it finds a
	// type that has no index. It takes no lock.
	otherTypesSQL = `
select exists (select from %s e where not exists (
	select from unnest($1::text[], $2::text[]) as t (category, name) where t.category = e.category and t.name = e.name))`
	// withoutScansSQL holds for the transaction only: the purpose of the query is to avoid
	// reading every row.
	withoutScansSQL = `set local enable_seqscan = off`
	// indexedPayloadsSQL uses the index of a path. It takes no lock.
	indexedPayloadsSQL = `
select e."timestamp", e.event_id, e.session_id, e.transaction_id from event e
where e."timestamp" >= $1 and e."timestamp" < $2 and e.category = $3 and e.name = $4
	and hashtextextended(e.data #>> $5::text[], 0) = hashtextextended($6::text, 0) and `
)

// cachedIndexes returns the indexes by which the partition of a month is searched; none if the
// partition has to be scanned. A type that is added later does not matter: its events belong to
// transactions that the last pass searches.
func (t *erasureTask) cachedIndexes(ctx context.Context, m month) (indexedPaths, error) {
	if found, known := t.byIndex[m]; known {
		return found, nil
	}

	found, err := t.findIndexes(ctx, m)
	if err != nil {
		return nil, err
	}

	if t.byIndex == nil {
		t.byIndex = map[month]indexedPaths{}
	}

	t.byIndex[m] = found
	return found, nil
}

func (t *erasureTask) findIndexes(ctx context.Context, m month) (indexedPaths, error) {
	names, err := collectRows(ctx, t.store.pool(), pgx.RowTo[string], partitionIndexesSQL, m.partition(eventTable))
	if err != nil || len(names) == 0 {
		return nil, err
	}

	marked, err := NewPathIndexStore(t.store.db).WantedPaths(ctx)
	if err != nil {
		return nil, err
	}

	var paths indexedPaths
	var categories, types []string
	for _, p := range marked {
		begins := pathIndexPrefix + pathHash(p) + "_"
		built := slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, begins) })
		if built && t.textsAt(p.Steps) != nil {
			paths = append(paths, p)
			categories = append(categories, p.Category)
			types = append(types, p.Name)
		}
	}

	if len(paths) == 0 {
		return nil, nil
	}

	others := false
	err = pgx.BeginTxFunc(ctx, t.store.pool(), pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, withoutScansSQL); err != nil {
			return err
		}

		return tx.QueryRow(ctx, fmt.Sprintf(otherTypesSQL, m.partition(eventTable)), categories, types).Scan(&others)
	})
	if err != nil || others {
		return nil, err
	}

	return paths, nil
}

// textsAt returns the forms of the value that is searched for at a path; nil if there is none.
func (t *erasureTask) textsAt(steps []string) []string {
	for _, w := range t.matcher.SearchValues() {
		if slices.Equal(w.Steps, steps) {
			return w.Texts
		}
	}

	return nil
}

// findIndexedPayloads finds some matching events of a month by indexes. They are erased before
// the next search, which therefore needs no position.
func (t *erasureTask) findIndexedPayloads(ctx context.Context, m month, paths indexedPaths) (matches []payloadMatch, err error) {
	for _, p := range paths {
		for _, text := range t.textsAt(p.Steps) {
			q := newStatement(indexedPayloadsSQL)
			q.args = []any{m.start(), m.end(), p.Category, p.Name, p.Steps, text}
			q.wherePayloadHolds(t.matcher.SearchValues())
			q.orderBy(" limit ", matchesPerStep)
			rows, err := t.store.pool().Query(ctx, q.sql.String(), append([]any{t.store.reads.mode}, q.args...)...) //nolint:rowserrcheck // ForEachRow returns it
			if err != nil {
				return nil, err
			}

			var one payloadMatch
			_, err = pgx.ForEachRow(rows, []any{&one.at, &one.id, &one.session, &one.transaction}, func() error {
				matches = append(matches, one)
				return nil
			})
			if err != nil || len(matches) > 0 {
				return matches, err
			}
		}
	}

	return nil, nil
}

// eraseEventsByIndex erases some events of the month of the scan, and continues with the next
// month when none is left.
func (t *erasureTask) eraseEventsByIndex(ctx context.Context, m month, paths indexedPaths) error {
	matches, err := t.findIndexedPayloads(ctx, m, paths)
	if err != nil {
		return err
	}

	return t.runStep(ctx, func(tx pgx.Tx, next *erasureState) error {
		if len(matches) == 0 {
			next.scan = scanPosition{at: m.end()}
			return nil
		}

		return t.eraseMatches(ctx, tx, next, matches)
	})
}
