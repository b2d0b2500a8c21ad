package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/doctor"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// newUpgradedDatabase is a database as version 14 makes it, or as pg_upgrade leaves it: public
// belongs to the superuser, and every role may create in it.
func newUpgradedDatabase(t testing.TB) *testRoles {
	t.Helper()
	c := newEmptyTestRoles(t)
	c.exec(t, "alter schema public owner to "+superuser(t, c), "revoke create on schema public from "+c.owner, "grant create on schema public to public")
	require.NoError(t, postgres.Migrate(context.Background(), c.DSNAs(c.owner)))
	return c
}

// exec runs statements as a superuser.
func (c *testRoles) exec(t testing.TB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := c.Pool(t).Exec(context.Background(), statement)
		require.NoError(t, err, statement)
	}
}

func (c *testRoles) roles() postgres.Roles {
	return postgres.Roles{Service: c.service, Analyst: c.analyst}
}

func (c *testRoles) examine(t testing.TB, role string) doctor.Fact[doctor.Trust] {
	t.Helper()
	inspector, err := postgres.NewInspector(context.Background(), postgres.Config{URL: c.DSNAs(role), ConnectTimeout: 3 * time.Second}, time.Now)
	require.NoError(t, err)
	t.Cleanup(inspector.Close)
	trust := inspector.InspectDatabase(context.Background()).Trust
	require.NoError(t, trust.Err)
	return trust
}

// A grant that the owner cannot revoke is reported, with the role that can, and nothing is half
// done.
func TestRolesAreNotMadeWhereEverybodyMayCreate(t *testing.T) {
	t.Parallel()
	c := newUpgradedDatabase(t)
	ctx, admin := context.Background(), superuser(t, c)
	require.Equal(t, []doctor.Creator{{Kind: "schema", Name: "public", Owner: admin, Privilege: "CREATE"}}, c.examine(t, c.owner).Value.Creators)

	err := postgres.MakeRoles(ctx, c.DSNAs(c.owner), c.roles())
	require.ErrorContains(t, err, "belongs to "+admin+": run as that role `grant create on schema public to "+c.owner+"; revoke create on schema public from public`")
	var made int
	require.NoError(t, c.Pool(t).QueryRow(ctx, "select count(*) from pg_roles where rolname = any ($1)", []string{c.service, c.analyst}).Scan(&made))
	require.Zero(t, made)

	c.exec(t, "revoke create on schema public from public", "create role "+c.Name()+"_x")
	require.ErrorContains(t, postgres.MakeRoles(ctx, c.DSNAs(c.owner), c.roles()), c.owner+" owns the tables but may not create objects in the schema public")
	c.exec(t, "grant create on schema public to "+c.owner)
	t.Cleanup(func() {
		c.exec(t, "drop owned by "+c.Name()+"_x; drop role "+c.Name()+"_x")
	})
	for grant, remedy := range map[string]string{
		"create on schema public to " + c.Name() + "_x":             "`revoke create on schema public from " + c.Name() + "_x`",
		"create on database " + c.Name() + " to " + c.Name() + "_x": "`revoke create on database " + c.Name() + " from " + c.Name() + "_x`",
	} {
		c.exec(t, "grant "+grant)
		require.ErrorContains(t, postgres.MakeRoles(ctx, c.DSNAs(c.owner), c.roles()), remedy)
		require.NotEmpty(t, c.examine(t, c.owner).Value.Creators)
		_, err := c.Pool(t).Exec(ctx, "drop owned by "+c.Name()+"_x")
		require.NoError(t, err)
	}

	require.NoError(t, postgres.MakeRoles(ctx, c.DSNAs(c.owner), c.roles()))
	trust := c.examine(t, c.service).Value
	require.Equal(t, c.owner, trust.Owner)
	require.True(t, trust.Granted)
	require.Empty(t, trust.Creators)
	require.Empty(t, trust.UntrustedObjects)

	// In a database of another owner, every role may create temporary tables.
	c.exec(t, "alter database "+c.Name()+" owner to "+admin, "grant temporary on database "+c.Name()+" to public")
	require.ErrorContains(t, postgres.MakeRoles(ctx, c.DSNAs(c.owner), c.roles()), "`revoke temporary on database "+c.Name()+" from public`")
}

// Functions and operators whose arguments fit better than those of pg_catalog do not run with
// the owner's rights, neither in the functions of the schema nor in the owner's own queries, and
// are found.
func TestPlantedFunctionsAreNotRunAsTheOwner(t *testing.T) {
	t.Parallel()
	c := newUpgradedDatabase(t)
	ctx := context.Background()
	c.exec(t, "create role "+c.Name()+"_x login")
	t.Cleanup(func() { c.exec(t, "drop owned by "+c.Name()+"_x; drop role "+c.Name()+"_x") })
	// Created before the right was revoked, and later.
	require.ErrorContains(t, postgres.MakeRoles(ctx, c.DSNAs(c.owner), c.roles()), "everybody may create")
	attacker := c.pool(t, c.Name()+"_x")
	for _, statement := range []string{
		"create table loot (as_whom text)", "grant all on loot to public",
		"create function public.note() returns void language sql as 'insert into public.loot values (current_user)'",
		"create function public.make_timestamp(int, int, int, int, int, int) returns timestamp language sql as 'select public.note(); select pg_catalog.make_timestamp($1, $2, $3, $4, $5, $6::float8)'",
		"create function public.to_regclass(name) returns regclass language sql as 'select public.note(); select pg_catalog.to_regclass($1::text)'",
		"create function public.quote_ident(name) returns text language sql as 'select public.note(); select pg_catalog.quote_ident($1::text)'",
		"create function public.same(oid, regclass) returns boolean language sql as 'select public.note(); select $1 = $2::oid'",
		"create operator public.= (leftarg = oid, rightarg = regclass, function = public.same)",
		"create function public.to_char(int, unknown) returns text language sql as 'select public.note(); select $2::text'",
		"create function public.least_of(timestamptz, date) returns boolean language sql as 'select public.note(); select $1 < $2'",
	} {
		if _, err := attacker.Exec(ctx, statement); err != nil {
			require.ErrorContains(t, err, "unknown", statement) // Postgres lets no role create that one
		}
	}

	err := postgres.MakeRoles(ctx, c.DSNAs(c.owner), c.roles())
	require.ErrorIs(t, err, postgres.ErrPlanted)
	require.ErrorContains(t, err, "public.make_timestamp(integer,integer,integer,integer,integer,integer) belongs to "+c.Name()+"_x")
	require.ErrorContains(t, err, "the operator public.=(oid,regclass) belongs to")
	require.ErrorIs(t, postgres.Migrate(ctx, c.DSNAs(c.owner)), postgres.ErrPlanted)
	trust := c.examine(t, c.owner).Value
	require.NotEmpty(t, trust.UntrustedObjects)
	require.False(t, trust.Granted)

	// As another role would call them.
	c.exec(t, "create role "+c.service+" login", "grant execute on all functions in schema public to "+c.service)
	service := c.pool(t, c.service)
	for _, statement := range []string{
		"select public.theeye_make_partition('event', 2021, 1)", "select public.theeye_mark_expired('event', 'event_p2021_01', pg_catalog.now())",
		"select public.theeye_detach_partition('event', 'event_p2021_01', pg_catalog.now())", "select public.theeye_set_aside('event', pg_catalog.now())",
		"select public.theeye_set_aside('event')", "select public.theeye_drop_expired('event_p2021_01', pg_catalog.now())", "select public.theeye_expire_audit(pg_catalog.now(), 10)",
	} {
		_, err := service.Exec(ctx, statement)
		require.NoError(t, err, statement)
	}

	var asWhom []string
	require.NoError(t, c.Pool(t).QueryRow(ctx, "select coalesce(array_agg(distinct as_whom), '{}') from public.loot where as_whom = $1", c.owner).Scan(&asWhom))
	require.Empty(t, asWhom)

	c.exec(t, "drop owned by "+c.Name()+"_x", "grant create on schema public to "+c.owner, "revoke create on schema public from public")
	require.NoError(t, postgres.MakeRoles(ctx, c.DSNAs(c.owner), c.roles()))
}

// The functions of the migrations find nothing in a schema of another role.
func TestEveryFunctionHasASafeSearchPath(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	var unsafe []string
	require.NoError(t, b.database.Pool(t).QueryRow(context.Background(), `
select coalesce(array_agg(p.oid::regprocedure::text), '{}') from pg_proc p
where p.pronamespace = 'public'::regnamespace and (p.proconfig is null or not p.proconfig @> array['search_path=pg_catalog, pg_temp'])`).Scan(&unsafe))
	require.Empty(t, unsafe)
}

// The tables also work in a schema of another name, and in one whose name has to be quoted.
func TestTheTablesInASchemaOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"eye", `Der "Laden"'s`} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			d := pgtest.NewEmpty(t)
			ctx := context.Background()
			pool := d.Pool(t)
			_, err := pool.Exec(ctx, `do $$ begin execute format('create schema %I', '`+quoted(schema)+`'); execute format('alter database %I set search_path = %I', current_database(), '`+quoted(schema)+`'); end $$`)
			require.NoError(t, err)
			require.NoError(t, postgres.Migrate(ctx, d.DSN()))
			b := newBundleOn(t, d)
			submit(t, collector(t, b.store, 1), request(shop, envelope(uuid.New(), firstOf(-4)), envelope(uuid.New(), firstOf(0))))
			events, err := postgres.NewRetentionStore(b.db).ExpireEvents(ctx, firstOf(-1))
			require.NoError(t, err)
			require.EqualValues(t, 1, events)
			_, err = d.Pool(t).Exec(ctx, "select theeye_make_partition('event', 2021, 1)")
			require.NoError(t, err)
			require.Len(t, partitionsOf(t, b, "event"), 2)
			migrateDownTo(t, d.DSN(), 0)
		})
	}
}

func quoted(text string) (escaped string) {
	for _, r := range text {
		if r == '\'' {
			escaped += "'"
		}

		escaped += string(r)
	}

	return escaped
}
