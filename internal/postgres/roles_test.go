package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// testRoles is a database that belongs to a plain role, with the other roles created by that
// role.
type testRoles struct {
	*pgtest.Database
	owner, service, analyst string
}

func newTestRoles(t testing.TB) *testRoles {
	t.Helper()
	c := newEmptyTestRoles(t)
	// The default of version 15, on every version.
	c.exec(t, "alter schema public owner to pg_database_owner", "revoke create on schema public from public")
	require.NoError(t, postgres.Migrate(context.Background(), c.DSNAs(c.owner)))
	for range 2 {
		require.NoError(t, postgres.MakeRoles(context.Background(), c.DSNAs(c.owner), c.roles()))
	}

	return c
}

// newEmptyTestRoles is the same before the first migration.
func newEmptyTestRoles(t testing.TB) *testRoles {
	t.Helper()
	d := pgtest.NewEmpty(t)
	c := &testRoles{d, d.Name() + "_o", d.Name() + "_s", d.Name() + "_a"}
	ctx, pool := context.Background(), d.Pool(t)
	for _, statement := range []string{
		"create role " + c.owner + " login createrole", "alter database " + d.Name() + " owner to " + c.owner, "grant create on schema public to " + c.owner,
	} {
		_, err := pool.Exec(ctx, statement)
		require.NoError(t, err)
	}

	t.Cleanup(func() {
		var there []string
		err := pool.QueryRow(ctx, "select coalesce(array_agg(rolname::text), '{}') from pg_roles where rolname = any ($1)", []string{c.service, c.analyst, c.owner}).Scan(&there)
		require.NoError(t, err)
		for _, role := range there {
			_, err := pool.Exec(ctx, "reassign owned by "+role+" to current_user; drop owned by "+role+"; drop role "+role)
			require.NoError(t, err)
		}
	})
	return c
}

func (c *testRoles) pool(t testing.TB, role string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), c.DSNAs(role))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// requireDenied requires that a role lacks the privilege for each of these statements.
func requireDenied(t testing.TB, pool *pgxpool.Pool, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := pool.Exec(context.Background(), statement)
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg, statement)
		require.Equal(t, "42501", pg.Code, "%s: %v", statement, err)
	}
}

func TestTheServiceRoleDoesAllItsWorkAndNoMore(t *testing.T) {
	t.Parallel()
	c := newTestRoles(t)
	ctx := context.Background()
	owner := c.pool(t, c.owner)
	_, err := owner.Exec(ctx, "insert into application (name) values ('shop'), ('blog')")
	require.NoError(t, err)

	db := openDB(t, c.DSNAs(c.service))
	b := &bundle{database: c.Database, db: db, store: newStore(db, keepAll())}
	session := uuid.New()
	submit(t, collector(t, b.store, 1), request(shop, envelope(session, firstOf(-4)), envelope(session, firstOf(-3)), envelope(session, firstOf(0))))
	retention := postgres.NewRetentionStore(db)
	require.NoError(t, retention.CreatePartitions(ctx, firstOf(0), firstOf(2)))
	require.NoError(t, retention.CreatePartitions(ctx, firstOf(-4), firstOf(-4)))
	for range 2 {
		gone, err := retention.ExpireEvents(ctx, firstOf(-2))
		require.NoError(t, err)
		_, err = retention.ExpireRejections(ctx, firstOf(-2))
		require.NoError(t, err)
		_ = gone
	}

	require.Equal(t, 1, count(t, b, "event"))
	require.Equal(t, []string{month(0), month(1), month(2)}, partitionsOf(t, b, "event"))
	require.Len(t, partitionsOf(t, b, "rejection"), 3)
	contradictions, err := apptest.FindContradictions(ctx, owner)
	require.NoError(t, err)
	require.Empty(t, contradictions)
	require.EqualValues(t, 1, eraseSession(t, db, session).Events)
	_, err = owner.Exec(ctx, `update audit_entry set "at" = now() - interval '3 days'`)
	require.NoError(t, err)
	require.NoError(t, retention.PruneAudit(ctx, time.Now().Add(-48*time.Hour)))
	require.Zero(t, count(t, b, "audit_entry"))

	// The doctor has no objections.
	inspector, err := postgres.NewInspector(ctx, postgres.Config{URL: c.DSNAs(c.service), ConnectTimeout: 3 * time.Second}, time.Now)
	require.NoError(t, err)
	t.Cleanup(inspector.Close)
	privileges := inspector.InspectDatabase(ctx).Privileges
	require.NoError(t, privileges.Err)
	require.Empty(t, privileges.Value.Missing)
	require.True(t, privileges.Value.Functions)
	require.False(t, privileges.Value.Create)

	partition := month(0)
	requireDenied(
		t, c.pool(t, c.service),
		"create table mine ()", "create schema mine", "create temporary table mine ()", "create function mine() returns int language sql as 'select 1'",
		"alter table event add column mine text", "drop table event", "drop table "+partition, "truncate event", "create index on event_key (event_id)",
		"alter table event detach partition "+partition, "drop function theeye_set_aside(text)", "alter function theeye_set_aside(text) set search_path = public",
		"create role mine", "update audit_entry set actor = 'me'", "delete from audit_entry", "truncate audit_entry", "delete from schema_version",
		"set role "+c.owner, "set session authorization "+c.owner,
	)
	// The functions do their work and accept nothing beyond it.
	for statement, says := range map[string]string{
		"select theeye_make_partition('api_key', 2021, 1)":                            "no partitions of api_key",
		"select theeye_make_partition('event; drop table event', 2021, 1)":            "no partitions",
		"select theeye_detach_partition('event', '" + partition + "')":                "too young",
		"select theeye_detach_partition('event', 'api_key')":                          "no partition of a month",
		"select theeye_detach_partition('event', 'event_p2021_01 cascade; select 1')": "no partition of a month",
		"select theeye_set_aside('api_key')":                                          "no partitions of api_key",
	} {
		_, err := c.pool(t, c.service).Exec(ctx, statement)
		require.ErrorContains(t, err, says, statement)
	}

	for _, harmless := range []string{
		"select theeye_drop_expired('api_key')", "select theeye_drop_expired('event')", "select theeye_drop_expired('" + partition + "')",
		"select theeye_expire_audit(now() + interval '1 year', 1000)",
	} {
		_, err := owner.Exec(ctx, "insert into audit_entry (audit_entry_id, actor, action, target) values (gen_random_uuid(), 'me', 'key.created', 'x')")
		require.NoError(t, err)
		before := count(t, b, "audit_entry")
		_, err = c.pool(t, c.service).Exec(ctx, harmless)
		require.NoError(t, err, harmless)
		require.Equal(t, before, count(t, b, "audit_entry"))
	}

	require.Len(t, partitionsOf(t, b, "event"), 3)
	require.Zero(t, count(t, b, "api_key"))
}

func TestTheAnalystRoleReadsEventsAndChangesNothing(t *testing.T) {
	t.Parallel()
	c := newTestRoles(t)
	ctx := context.Background()
	_, err := c.pool(t, c.owner).Exec(ctx, "insert into application (name) values ('shop')")
	require.NoError(t, err)
	db := openDB(t, c.DSNAs(c.service))
	submit(t, collector(t, newStore(db, keepAll()), 1), request(shop, envelope(uuid.New(), firstOf(0))))
	require.NoError(t, postgres.NewRetentionStore(db).CreatePartitions(ctx, firstOf(0), firstOf(1)))
	partition := month(0)

	analyst := c.pool(t, c.analyst)
	for _, question := range []string{
		"select count(*) from event e join session using (session_id) join application a on a.application_id = e.application_id where a.name = 'shop'",
		"select count(*) + 1 from event_type left join event_type_version using (event_type_id)",
		"select count(*) + 1 from (select rejection_id, errors from rejection) r",
	} {
		var found int
		require.NoError(t, analyst.QueryRow(ctx, question).Scan(&found), question)
		require.Equal(t, 1, found, question)
	}

	for setting, want := range map[string]string{"statement_timeout": "1min", "default_transaction_read_only": "on"} {
		var value string
		require.NoError(t, analyst.QueryRow(ctx, "select current_setting($1)", setting).Scan(&value))
		require.Equal(t, want, value)
	}

	requireDenied(
		t, analyst,
		"select to_jsonb(t) from api_key t", "select secret_hash from api_key", "select to_jsonb(t) from event_type_revision t", "select to_jsonb(t) from audit_entry t", "select raw from rejection",
		"select to_jsonb(t) from rejection t", "select allowed_origins from application", "select to_jsonb(t) from event_key t", "select to_jsonb(t) from event_amendment t", "select event_id from "+partition,
	)
	// A read-only transaction is a default that an analyst can change; the privileges are the
	// protection.
	config, err := pgxpool.ParseConfig(c.DSNAs(c.analyst))
	require.NoError(t, err)
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "set default_transaction_read_only = off")
		return err
	}
	writer, err := pgxpool.NewWithConfig(ctx, config)
	require.NoError(t, err)
	t.Cleanup(writer.Close)
	for _, table := range []string{"application", "api_key", "access_version", "session", "event", "event_key", "rejection", "event_type", "audit_entry", partition} {
		requireDenied(t, writer, "insert into "+table+" default values", "delete from "+table, "truncate "+table, "drop table "+table)
	}

	requireDenied(
		t, writer,
		"update event set name = 'x'", "update session set event_count = 0", "create table mine ()", "create temporary table mine ()", "select session_id from session for update",
		"select theeye_make_partition('event', 2021, 1)", "select theeye_expire_audit(now(), 1)", "set role "+c.owner, "set role "+c.service,
	)
}

func TestRolesThatAreTooPowerfulAreRefused(t *testing.T) {
	t.Parallel()
	c := newTestRoles(t)
	ctx := context.Background()
	for _, role := range []string{c.owner, superuser(t, c)} {
		err := postgres.MakeRoles(ctx, c.DSNAs(c.owner), postgres.Roles{Service: role})
		require.ErrorContains(t, err, "would not limit it", role)
	}

	require.ErrorContains(t, postgres.MakeRoles(ctx, c.DSNAs(c.service), postgres.Roles{Service: c.service}), "as the owner of the tables")
	require.ErrorIs(t, postgres.MakeRoles(ctx, pgtest.NewEmpty(t).DSN(), postgres.Roles{Service: c.service}), postgres.ErrSchemaBehind)

	// Grants beyond the needed ones are revoked, whatever the name of the role.
	odd := c.Name() + `"; drop table event; --ROLE`
	pool := c.Pool(t)
	t.Cleanup(func() {
		name := pgx.Identifier{odd}.Sanitize()
		_, err := pool.Exec(ctx, "drop owned by "+name+"; drop role "+name)
		require.NoError(t, err)
	})
	require.NoError(t, postgres.MakeRoles(ctx, c.DSNAs(c.owner), postgres.Roles{Service: odd}))
	_, err := pool.Exec(ctx, "grant all on audit_entry, api_key, event to "+c.analyst+", "+c.service)
	require.NoError(t, err)
	require.NoError(t, postgres.MakeRoles(ctx, c.DSNAs(c.owner), postgres.Roles{Service: c.service, Analyst: c.analyst}))
	requireDenied(t, c.pool(t, c.analyst), "select to_jsonb(t) from api_key t", "select to_jsonb(t) from audit_entry t")
	requireDenied(t, c.pool(t, c.service), "delete from audit_entry", "truncate event")
}

func superuser(t testing.TB, c *testRoles) (name string) {
	t.Helper()
	require.NoError(t, c.Pool(t).QueryRow(context.Background(), "select current_user").Scan(&name))
	return name
}

// month is the name of a month's partition of event.
func month(months int) string {
	return "event_p" + strings.ReplaceAll(firstOf(months).Format("2006-01"), "-", "_")
}
