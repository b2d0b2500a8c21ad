package doctor_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/doctor"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// patient is a database with the partitions of a running service.
type patient struct {
	*pgtest.Database

	pool   *pgxpool.Pool
	config doctor.Config
	// url is the doctor's database URL.
	url string
	now func() time.Time
}

func newPatient(t *testing.T, database *pgtest.Database) *patient {
	t.Helper()
	p := &patient{Database: database, pool: database.Pool(t), config: settings(), url: database.DSN(), now: time.Now}
	db, err := postgres.Open(t.Context(), postgres.Config{
		URL: p.url, WriteConnections: 2, ReadConnections: 1,
		ConnectTimeout: 3 * time.Second, WriteTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
	})
	require.NoError(t, err)
	defer db.Close()

	now := time.Now()
	require.NoError(t, postgres.NewRetentionStore(db).CreatePartitions(t.Context(), now, now.AddDate(0, 0, 62)))
	p.exec(t, "revoke create on schema public from public") // which version 14 grants
	return p
}

func (p *patient) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := p.pool.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

func (p *patient) examine(t *testing.T) doctor.Report {
	t.Helper()
	inspector, err := postgres.NewInspector(t.Context(), postgres.Config{URL: p.url, Pooled: p.config.Pooled, ConnectTimeout: 3 * time.Second, WriteTimeout: 5 * time.Second}, p.now)
	require.NoError(t, err)
	defer inspector.Close()

	return doctor.Examine(t.Context(), p.config, doctor.Deps{Database: inspector})
}

// requireFound requires the result of a check, a text in its finding, and its advice.
func requireFound(t *testing.T, r doctor.Report, check string, result doctor.Result, says string) {
	t.Helper()
	f := finding(t, r, check)
	require.Equal(t, result, f.Result, "%+v", f)
	require.Contains(t, f.Found, says)
	require.Equal(t, result == doctor.Warning || result == doctor.Failed, f.Advice != "")
}

// role creates a login role, which the doctor then uses and which is dropped when the test ends.
func (p *patient) role(t *testing.T) string {
	t.Helper()
	name := p.Name() + "_role"
	p.exec(t, "create role "+name+" login")
	t.Cleanup(func() {
		_, err := p.pool.Exec(context.Background(), "drop owned by "+name+"; drop role "+name)
		require.NoError(t, err)
	})
	parsed, err := url.Parse(p.url)
	require.NoError(t, err)
	parsed.User = url.User(name)
	p.url = parsed.String()
	return name
}

// partition names the partition of this month, or of a later one.
func partition(table string, later int) string {
	year, month, _ := time.Now().UTC().Date()
	return table + time.Date(year, month+time.Month(later), 1, 0, 0, 0, 0, time.UTC).Format("_p2006_01")
}

func TestAHealthyDatabaseGivesNoFailure(t *testing.T) {
	t.Parallel()
	p := newPatient(t, pgtest.NewDedicated(t))
	p.exec(t, "create role eye login", "alter database "+p.Name()+" owner to eye", "grant create on schema public to eye",
		"do $$ declare t record; begin for t in select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') loop execute 'alter table ' || t.relname || ' owner to eye'; end loop; end $$")
	parsed, err := url.Parse(p.url)
	require.NoError(t, err)
	parsed.User = url.User("eye")
	p.url = parsed.String()
	r := p.examine(t)
	for _, f := range r.Findings {
		if f.Check == "database.memory" { // servers of tests are small
			continue
		}

		require.Contains(t, []doctor.Result{doctor.OK, doctor.Skipped}, f.Result, "%+v", f)
	}

	require.Equal(t, 9, r.Summary.Skipped, "nothing but the service: %+v", r)
	require.True(t, r.Summary.Reached)

	requireFound(t, r, "disk.size", doctor.OK, "event")
	requireFound(t, r, "upkeep.transaction_ids", doctor.OK, "the oldest table is ")
	requireFound(t, r, "database.memory", doctor.Warning, "shared_buffers is 64.0 MiB")
}

func TestDamageOfASchema(t *testing.T) {
	t.Parallel()
	next := partition("event", 1)
	for name, c := range map[string]struct {
		damage []string
		check  string
		result doctor.Result
		says   string
		advice string
	}{
		"index dropped": {
			[]string{"drop index session_started_at_idx"},
			"schema.indexes", doctor.Failed, "session_started_at_idx on session is missing", "create index concurrently",
		},
		"index of a partition not valid": {
			[]string{"update pg_index set indisvalid = false where indrelid = '" + next + "'::regclass and indexrelid in (select inhrelid from pg_inherits where inhparent = 'event_category_idx'::regclass)"},
			"schema.indexes", doctor.Failed, " on " + next + " is not valid", "reindex index concurrently",
		},
		"index of a new parent not there": {
			[]string{"drop index event_timestamp_idx", `create index event_timestamp_idx on only event ("timestamp", event_id)`},
			"schema.indexes", doctor.Failed, "event_timestamp_idx is missing on " + next, "attach partition",
		},
		"constraint dropped": {
			[]string{"alter table session drop constraint session_span_check"},
			"schema.constraints", doctor.Failed, "session_span_check on session is missing", "not valid",
		},
		"constraint not valid": {
			[]string{"alter table session drop constraint session_erased_check", "alter table session add constraint session_erased_check check (erased_at is null or event_count = 0) not valid"},
			"schema.constraints", doctor.Failed, "session_erased_check on session is not valid", "validate constraint",
		},
		"leftover of a cut off build": {
			[]string{"create index session_x_ccnew on session (session_id)", "update pg_index set indisvalid = false where indexrelid = 'session_x_ccnew'::regclass"},
			"schema.invalid_indexes", doctor.Warning, "session_x_ccnew on session", "drop index concurrently",
		},
		"next month dropped": {
			[]string{"drop table " + next},
			"schema.partitions", doctor.Failed, "missing: event of ", "start of the service",
		},
		"left over by retention": {
			[]string{
				"select theeye_make_partition('event', 2021, 3)", "select theeye_detach_partition('event', 'event_p2021_03', now())", "select theeye_set_aside('event', now())",
			},
			"schema.detached_partitions", doctor.Warning, "event_expired_", "retention",
		},
		"detached by a person": {
			[]string{"alter table rejection detach partition " + partition("rejection", 0)},
			"schema.unattached_tables", doctor.Warning, partition("rejection", 0) + " has the name of a partition of rejection but is not one", "Attach it again",
		},
		"a restored archive": {
			[]string{"create table event_p2021_03 (like event)"},
			"schema.unattached_tables", doctor.Warning, "event_p2021_03 has the name of a partition", "or rename it",
		},
		"set aside in the database that a dump came from": {
			[]string{"create table event_expired_4711 (like event)"},
			"schema.unattached_tables", doctor.Warning, "event_expired_4711 looks like a partition that retention set aside, but this database has no record of it", "or rename it",
		},
		"everybody may create in public": {
			[]string{"grant create on schema public to public"},
			"privileges.create", doctor.Warning, "every role may create objects in the schema public", "revoke create on schema public from public`",
		},
		"default partition": {
			[]string{"create table event_rest partition of event default"},
			"schema.foreign_partitions", doctor.Failed, "event_rest is a default partition", "Detach",
		},
		"foreign partition": {
			[]string{"create table event_old partition of event for values from (minvalue) to ('2001-01-01')"},
			"schema.foreign_partitions", doctor.Warning, "event_old", "retention",
		},
		"fillfactor lost": {
			[]string{"alter table session reset (fillfactor)"},
			"upkeep.hot_updates", doctor.Warning, "fillfactor of session is 100", "fillfactor = 70",
		},
		"index on a changing column": {
			[]string{"create index late on session (last_event_at)"},
			"upkeep.hot_updates", doctor.Warning, "late holds last_event_at", "drop indexes",
		},
		"autovacuum off for a table": {
			[]string{"alter table event_key set (autovacuum_enabled = off)"},
			"database.autovacuum", doctor.Failed, "event_key", "autovacuum_enabled",
		},
		"behind": {
			[]string{"delete from schema_version where version_id > 0"},
			"database.schema", doctor.Failed, "it is at 0", "theeye migrate up",
		},
		"never migrated": {
			[]string{"drop table schema_version"},
			"database.schema", doctor.Failed, "it is at 0", "theeye migrate up",
		},
		"ahead": {
			[]string{"insert into schema_version (version_id, is_applied) values (9999, true)"},
			"database.schema", doctor.OK, "9999", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t, pgtest.New(t))
			p.exec(t, c.damage...)
			r := p.examine(t)
			requireFound(t, r, c.check, c.result, c.says)
			require.Contains(t, finding(t, r, c.check).Advice, c.advice)
		})
	}
}

func TestASettingOfTheRole(t *testing.T) {
	t.Parallel()
	p := newPatient(t, pgtest.New(t))
	p.exec(t, "alter database "+p.Name()+" set synchronous_commit = on")
	service := p.url
	role := p.role(t)
	p.exec(t, "alter role "+role+" set synchronous_commit = off", "alter role "+role+" set idle_session_timeout = '1min'",
		"alter role "+role+" connection limit 5", "alter role "+role+" set default_transaction_read_only = on")
	r := p.examine(t)
	requireFound(t, r, "database.synchronous_commit", doctor.Failed, "role "+role)
	requireFound(t, r, "database.timeouts", doctor.Warning, "idle_session_timeout is 1m0s")
	requireFound(t, r, "database.connections", doctor.Failed, "allowed: 5 (the role's limit)")
	requireFound(t, r, "database.writable", doctor.Failed, "default_transaction_read_only")

	p.url = service
	requireFound(t, p.examine(t), "database.synchronous_commit", doctor.Warning, "role "+role)
	p.exec(t, "alter role "+role+" connection limit -1", "alter role "+role+" set statement_timeout = '1s'", "alter role "+role+" set lock_timeout = '1min'")
	parsed, err := url.Parse(service)
	require.NoError(t, err)
	parsed.User = url.User(role)
	p.url, p.config.Pooled = parsed.String(), true
	requireFound(t, p.examine(t), "database.timeouts", doctor.Warning, "statement_timeout is 1s, and the service needs 30s")
}

func TestARoleWithoutPrivileges(t *testing.T) {
	t.Parallel()
	p := newPatient(t, pgtest.New(t))
	role := p.role(t)
	r := p.examine(t)
	requireFound(t, r, "database.schema", doctor.Warning, "permission denied for table schema_version")
	requireFound(t, r, "privileges.superuser", doctor.OK, role)
	requireFound(t, r, "privileges.needed", doctor.Failed, "select/insert/update/delete on access_version")
	requireFound(t, r, "privileges.needed", doctor.Failed, "does not own event, ")
	requireFound(t, r, "privileges.needed", doctor.Failed, "may not create tables in the schema public")
	p.exec(t, "grant select, insert, update, delete on all tables in schema public to "+role, "grant create on schema public to "+role)
	r = p.examine(t)
	requireFound(t, r, "privileges.needed", doctor.Failed, "does not own event, ")
	require.NotContains(t, finding(t, r, "privileges.needed").Found, "may not")
	requireFound(t, r, "database.schema", doctor.OK, "current")
}

func TestPublicKeysThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	p := newPatient(t, pgtest.New(t))
	requireFound(t, p.examine(t), "access.public_types", doctor.OK, "no public key")
	p.exec(t, `insert into application (name) values ('shop')`,
		`insert into api_key (key_id, application_id, secret_hash, scopes, public, rate_limit)
			select 'ABCDEFGHIJKL', application_id, sha256('x'), '{}', true, 50 from application`)
	requireFound(t, p.examine(t), "access.public_origins", doctor.Warning, "ABCDEFGHIJKL of shop")
	requireFound(t, p.examine(t), "access.public_types", doctor.Warning, "ABCDEFGHIJKL of shop")
	p.exec(t, `update application set allowed_origins = '{https://shop.example}'`)
	requireFound(t, p.examine(t), "access.public_origins", doctor.OK, "1 public keys")
	for use, end := range map[string]string{
		"update application set disabled = false":                           "update application set disabled = true",
		"update api_key set revoked_at = null":                              "update api_key set revoked_at = now()",
		"update api_key set expires_at = clock_timestamp() + interval '1h'": "update api_key set expires_at = clock_timestamp()",
	} {
		p.exec(t, end)
		requireFound(t, p.examine(t), "access.public_types", doctor.OK, "no public key")
		p.exec(t, use)
		requireFound(t, p.examine(t), "access.public_types", doctor.Warning, "ABCDEFGHIJKL of shop")
	}
}

func TestTransactionsAndLocksThatHold(t *testing.T) {
	t.Parallel()
	p := newPatient(t, pgtest.New(t))
	holder, err := p.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = holder.Exec(t.Context(), "lock table session in access exclusive mode")
	require.NoError(t, err)
	waiter, err := pgx.Connect(t.Context(), p.DSN())
	require.NoError(t, err)
	waited := make(chan error, 1)
	go func() {
		_, err := waiter.Exec(context.Background(), "update session set event_count = 0")
		waited <- err
	}()
	require.Eventually(t, func() bool {
		var n int
		err := p.pool.QueryRow(t.Context(), "select count(*) from pg_locks l join pg_stat_activity a on a.pid = l.pid where not granted and datname = current_database() and l.waitstart is not null").Scan(&n)
		return err == nil && n == 1
	}, 10*time.Second, 5*time.Millisecond)

	r := p.examine(t)
	requireFound(t, r, "upkeep.transactions", doctor.OK, "")
	p.config.LongTransaction, p.config.LongWait = time.Nanosecond, time.Nanosecond
	r = p.examine(t)
	requireFound(t, r, "upkeep.transactions", doctor.Warning, "is idle in transaction for ")
	requireFound(t, r, "upkeep.locks", doctor.Warning, " waits for RowExclusiveLock on session, for ")
	require.Regexp(t, `blocked by pid \d+`, finding(t, r, "upkeep.locks").Found)
	requireFound(t, r, "disk.size", doctor.Warning, "could not be examined: canceling statement due to lock timeout")
	requireFound(t, r, "schema.indexes", doctor.OK, "")

	p.role(t)
	requireFound(t, p.examine(t), "upkeep.transactions", doctor.OK, "the role may not see 3 sessions")
	require.NoError(t, holder.Rollback(context.Background()))
	require.NoError(t, <-waited)
	require.NoError(t, waiter.Close(context.Background()))
}

func TestAHalfDetachedPartition(t *testing.T) {
	t.Parallel()
	p := newPatient(t, pgtest.New(t))
	name := partition("event", 1)
	reader, err := p.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = reader.Exec(t.Context(), "select from event")
	require.NoError(t, err)
	cut, err := pgx.Connect(t.Context(), p.DSN())
	require.NoError(t, err)
	_, err = cut.Exec(t.Context(), "set statement_timeout = 200")
	require.NoError(t, err)
	_, err = cut.Exec(t.Context(), "alter table event detach partition "+name+" concurrently")
	require.ErrorContains(t, err, "57014")
	require.NoError(t, cut.Close(t.Context()))
	require.NoError(t, reader.Rollback(t.Context()))

	r := p.examine(t)
	requireFound(t, r, "schema.detached_partitions", doctor.Warning, name+" is half detached")
	require.Contains(t, finding(t, r, "schema.detached_partitions").Advice, "finalize")
	requireFound(t, r, "schema.partitions", doctor.Failed, "missing: event of ")
}

func TestClocksApart(t *testing.T) {
	t.Parallel()
	p := newPatient(t, pgtest.New(t))
	for _, c := range []struct {
		ahead time.Duration
		want  doctor.Result
	}{{0, doctor.OK}, {3 * time.Second, doctor.Warning}, {-time.Minute, doctor.Failed}} {
		p.now = func() time.Time { return time.Now().Add(-c.ahead) }
		requireFound(t, p.examine(t), "clock.database", c.want, "")
	}
}

func TestPoolsThatDoNotFit(t *testing.T) {
	t.Parallel()
	p := newPatient(t, pgtest.New(t))
	requireFound(t, p.examine(t), "database.connections", doctor.OK, "replicas: 1,")
	p.config.Replicas = 300
	requireFound(t, p.examine(t), "database.connections", doctor.Failed, "together: 4200")

	p.config.Replicas, p.config.WatchConnections = 0, 1
	for range 3 { // no replica holds two of them: there are three
		conn, err := pgx.Connect(t.Context(), p.DSN()+"&application_name=theeye%20watch")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	}

	requireFound(t, p.examine(t), "database.connections", doctor.OK, "replicas: 3,")
}

func TestADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	inspector, err := postgres.NewInspector(t.Context(), postgres.Config{URL: "postgres://eye:canary-Zx81@127.0.0.1:1/eye", ConnectTimeout: time.Second}, time.Now)
	require.NoError(t, err)
	t.Cleanup(inspector.Close)
	r := doctor.Examine(t.Context(), settings(), doctor.Deps{Database: inspector})
	requireFound(t, r, "database.reachable", doctor.Failed, "refused")
	require.Equal(t, 1, strings.Count(finding(t, r, "database.reachable").Found, "dial error"), "it was tried with and without TLS, and is reported once")
	require.False(t, r.Summary.Reached)
	var text strings.Builder
	require.NoError(t, r.WriteText(&text))
	require.NotContains(t, text.String(), "canary")

	_, err = postgres.NewInspector(t.Context(), postgres.Config{URL: "postgres://eye:canary-Zx81@[::1"}, time.Now)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "canary")
}
