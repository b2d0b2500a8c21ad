package postgres_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/pathindex"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
)

// pathIndexes lists the indexes of payloads, and whether each is valid.
func pathIndexes(t testing.TB, b *bundle) map[string]bool {
	t.Helper()
	const sql = `select i.relname, x.indisvalid from pg_index x join pg_class i on i.oid = x.indexrelid where i.relname like 'event\_data\_%'`
	rows, err := b.database.Pool(t).Query(context.Background(), sql) //nolint:rowserrcheck // ForEachRow returns it
	require.NoError(t, err)
	found := map[string]bool{}
	var name string
	var valid bool
	_, err = pgx.ForEachRow(rows, []any{&name, &valid}, func() error {
		found[name] = valid
		return nil
	})
	require.NoError(t, err)
	return found
}

// A marked path gets an index on each partition, which the planner uses, and loses it when the
// mark is removed.
func TestPathIndexes(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	var wanted []uuid.UUID
	for month := range 2 {
		for range 4 {
			var envelopes []event.Envelope
			for i := range 1000 {
				e := envelope(uuid.New(), firstOf(-month).Add(time.Duration(i)*time.Second))
				e.Event.Category, e.Event.Name = "it's", `a\b`
				e.Event.Data = fmt.Appendf(nil, `{"order":{"a.b":"sku %d","n":%d,"long":%q}}`, i, i, strings.Repeat("x", i*10))
				if i == 77 {
					wanted = append(wanted, e.Event.ID)
				}

				envelopes = append(envelopes, e)
			}

			submit(t, c, request(shop, envelopes...))
		}
	}

	pool := b.database.Pool(t)
	_, err := pool.Exec(context.Background(), "analyze event")
	require.NoError(t, err)
	s, reads := postgres.NewPathIndexStore(b.db), postgres.NewQueryStore(b.db)
	finder := &query.Finder{EventStore: reads, PathStore: reads}
	filter := query.EventFilter{
		Category: "it's", Name: `a\b`, Descending: true,
		Data: []query.DataFilter{{Path: query.DataPath{"order", "a.b"}, Value: "sku 77"}},
	}
	requireInvalid := func() {
		t.Helper()
		require.ErrorContains(t, finder.AdmitFilter(context.Background(), &filter), "31 days")
	}
	requireInvalid()

	_, err = pool.Exec(context.Background(), `
		with made as (insert into event_type (category, name, version) values ('it''s', 'a\b', 2), ('gone', 'x', 1) returning event_type_id, category)
		insert into event_type_version (event_type_id, version, mode, schema)
		select event_type_id, v, 'enforce', $1::json from made, generate_series(1, 2) v`,
		`{"properties":{"order":{"properties":{"a.b":{"x-theeye":"indexed"},"long":{"x-theeye":["indexed","mask"]}}}}}`)
	require.NoError(t, err)
	_, err = pool.Exec(context.Background(), "update event_type set deleted_at = now() where category = 'gone'")
	require.NoError(t, err)
	paths, err := s.WantedPaths(context.Background())
	require.NoError(t, err)
	require.Equal(t, []pathindex.Path{
		{Category: "it's", Name: `a\b`, Steps: []string{"order", "a.b"}}, {Category: "it's", Name: `a\b`, Steps: []string{"order", "long"}},
	}, paths)

	done, err := s.ReconcileIndexes(context.Background(), paths)
	require.NoError(t, err)
	require.Equal(t, pathindex.Result{Built: 4}, done, "values longer than an index entry do not matter")
	done, err = s.ReconcileIndexes(context.Background(), paths)
	require.NoError(t, err)
	require.Zero(t, done)
	require.Len(t, pathIndexes(t, b), 4)

	require.NoError(t, finder.AdmitFilter(context.Background(), &filter))
	require.True(t, filter.Data[0].IsIndexed())
	found := []uuid.UUID{}
	cursor := ""
	for range 3 {
		page, err := finder.EventPage(context.Background(), filter, cursor, 3)
		require.NoError(t, err)
		found = append(found, idsOf(page.Items)...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}

	require.ElementsMatch(t, wanted, found)
	plan := ""
	require.NoError(t, reads.ExplainTo(func(text string) { plan = text }).Events(context.Background(), filter, nil, 101, nil))
	require.Len(t, regexp.MustCompile(`Scan (using|on) event_data_`).FindAllString(plan, -1), 2, plan)

	// An index that a crash left half built is built again; a new partition gets its own index.
	_, err = pool.Exec(context.Background(), "update pg_index set indisvalid = false where indexrelid in (select oid from pg_class where relname like 'event\\_data\\_%' limit 1)")
	require.NoError(t, err)
	submit(t, c, request(shop, envelope(uuid.New(), firstOf(-2))))
	done, err = s.ReconcileIndexes(context.Background(), paths)
	require.NoError(t, err)
	require.Equal(t, pathindex.Result{Built: 3, Dropped: 1}, done)
	require.NotContains(t, pathIndexes(t, b), false)
	require.Len(t, pathIndexes(t, b), 6)

	// Indexes that are not the service's stay.
	_, err = pool.Exec(context.Background(), "create index event_data_mine on event (name)")
	require.NoError(t, err)
	done, err = s.ReconcileIndexes(context.Background(), paths[1:])
	require.NoError(t, err)
	require.Equal(t, pathindex.Result{Dropped: 3}, done)
	requireInvalid()
	done, err = s.ReconcileIndexes(context.Background(), nil)
	require.NoError(t, err)
	require.Equal(t, pathindex.Result{Dropped: 3}, done)
	require.Equal(t, map[string]bool{"event_data_mine": true}, pathIndexes(t, b))
}

// The service's timeouts apply again when the connection is reused.
func TestPathIndexesLeaveNoSettings(t *testing.T) {
	t.Parallel()
	database := newBundle(t).database
	db, err := postgres.Open(context.Background(), postgres.Config{
		URL: database.DSN(), WriteConnections: 1, ReadConnections: 1,
		ConnectTimeout: 3 * time.Second, WriteTimeout: 5 * time.Second, ReadTimeout: 7 * time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(db.Close)
	require.NoError(t, postgres.NewRetentionStore(db).CreatePartitions(context.Background(), firstOf(0), firstOf(0)))
	done, err := postgres.NewPathIndexStore(db).ReconcileIndexes(context.Background(), []pathindex.Path{{Category: "a", Name: "b", Steps: []string{"c"}}})
	require.NoError(t, err)
	require.Equal(t, pathindex.Result{Built: 1}, done)
	for _, setting := range []string{"statement_timeout", "lock_timeout"} {
		text, err := db.ReadSetting(context.Background(), setting)
		require.NoError(t, err)
		require.Equal(t, "7s", text)
	}
}
