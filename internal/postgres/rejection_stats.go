package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/query"
)

const dimensionCode = "code"

// countedRejectionsSQL groups the rows of a range of rejection_pkey, or of
// rejection_session_id_idx. It takes no lock.
const countedRejectionsSQL = `
select b.start, b.code, b.category, b.name, coalesce((select a.name from application a where a.application_id = b.application_id), ''), b.count
from (select `

// CountRejections implements query.RejectionStore.
func (s *QueryStore) CountRejections(ctx context.Context, f query.RejectionStatsFilter, limit int, yield func(query.Bucket) bool) error {
	start := "null::timestamptz"
	groups := []string{}
	if step := map[query.Interval]string{query.Minute: "1 minute", query.Hour: "1 hour", query.Day: "1 day"}[f.Interval]; step != "" {
		start = "date_bin('" + step + "', r.received_at, '2000-01-01T00:00:00Z')"
		groups = []string{"1"}
	}

	columns := []string{start + " as start"}
	for n, dimension := range []struct{ name, value, none, column string }{
		{dimensionCode, "r.code", "''", "code"},
		{dimensionCategory, "coalesce(r.category, '')", "''", "category"},
		{dimensionName, "coalesce(r.name, '')", "''", "name"},
		{dimensionApplication, "r.application_id", "null::integer", "application_id"},
	} {
		value := dimension.none
		if slices.Contains(f.By, dimension.name) {
			value = dimension.value
			groups = append(groups, string(rune('2'+n)))
		}

		columns = append(columns, value+" as "+dimension.column)
	}

	q := newStatement(countedRejectionsSQL + strings.Join(columns, ", ") + ", count(*) as count from rejection r")
	q.heavy = true
	q.whereRejections(&f.RejectionFilter)
	if len(groups) > 0 {
		q.sql.WriteString(" group by " + strings.Join(groups, ", "))
	}

	q.sql.WriteString(") b")
	q.orderBy(" limit ", limit)
	return listRows(ctx, s, s.mode, q, func(row pgx.Row) (b query.Bucket, err error) {
		var start *time.Time
		var code, category, name, application string
		if err := row.Scan(&start, &code, &category, &name, &application, &b.Count); err != nil {
			return b, err
		}

		if start != nil {
			b.Start = start.UTC()
		}

		found := map[string]string{dimensionCode: code, dimensionCategory: category, dimensionName: name, dimensionApplication: application}
		for _, dimension := range f.By {
			b.Group = append(b.Group, found[dimension])
		}

		return b, nil
	}, yield)
}

// groupedRejectionsSQL expands the reasons of the rows of a range of rejection_pkey, or of
// rejection_session_id_idx. The sample is the greatest id, which is one of the latest, followed
// by its detail: one pass, and no array of all. It takes no lock.
const groupedRejectionsSQL = `
select g.code, g.pointer, g.category, g.name, coalesce((select a.name from application a where a.application_id = g.application_id), ''),
	g.count, g.first_seen, g.last_seen, g.sample
from (
	select v.code, v.pointer, r.category, r.name, r.application_id, count(*) as count, min(r.received_at) as first_seen, max(r.received_at) as last_seen,
		max((r.rejection_id::text || v.detail) collate "C") as sample
	from rejection r cross join lateral (
		select e ->> 'code' as code, coalesce(e ->> 'pointer', '') as pointer, coalesce(min(e ->> 'detail'), '') as detail
		from jsonb_array_elements(r.errors) e group by 1, 2) v`

// RejectionGroups implements query.RejectionStore.
func (s *QueryStore) RejectionGroups(ctx context.Context, f query.RejectionFilter, limit int) ([]query.RejectionGroup, error) {
	q := newStatement(groupedRejectionsSQL)
	q.heavy = true
	q.whereRejections(&f)
	q.whereIf(f.Code != "", "v.code = ?", f.Code)
	q.orderBy(" group by 1, 2, 3, 4, 5 order by 6 desc, 8 desc, 1, 2, 3, 4, 5 limit ", limit)
	q.sql.WriteString(") g")
	groups := []query.RejectionGroup{}
	err := listRows(ctx, s, s.mode, q, scanRejectionGroup, func(g query.RejectionGroup) bool {
		groups = append(groups, g)
		return true
	})
	return groups, err
}

func scanRejectionGroup(row pgx.Row) (g query.RejectionGroup, err error) {
	const idLength = 36
	var sample string
	if err := row.Scan(&g.Code, &g.Pointer, &g.Category, &g.Name, &g.Application, &g.Count, &g.FirstSeen, &g.LastSeen, &sample); err != nil {
		return g, err
	}

	if len(sample) < idLength {
		return g, fmt.Errorf("a sample of %d bytes does not begin with the id of a rejection", len(sample))
	}

	g.SampleID, err = uuid.Parse(sample[:idLength])
	g.Detail = sample[idLength:]
	return g, err
}
