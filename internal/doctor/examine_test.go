package doctor_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/doctor"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

var _ = flag.Bool("update", false, "rewrite the table in docs/doctor.md")

func TestMain(m *testing.M) { pgtest.Main(m, pgtest.WithMigrations(postgres.Migrate)) }

// found returns the invented facts of a test.
type found struct {
	database doctor.Database
	outside  doctor.ServiceFacts
}

func (f *found) InspectDatabase(context.Context) doctor.Database  { return f.database }
func (f *found) ProbeService(context.Context) doctor.ServiceFacts { return f.outside }

// noon is the time of the invented facts.
var noon = time.Date(2026, 5, 15, 12, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant, if times could be

func is[T any](value T) doctor.Fact[T] { return doctor.Fact[T]{Value: value} }

// healthy returns the facts of a deployment without problems.
func healthy() *found {
	var partitions []doctor.Partition
	for _, table := range []string{"event", "rejection"} {
		for m := noon.Month(); m < noon.Month()+3; m++ {
			from := time.Date(noon.Year(), m, 1, 0, 0, 0, 0, time.UTC)
			partitions = append(partitions, doctor.Partition{
				Table: table, Name: table + from.Format("_p2006_01"), Month: true, From: from, To: from.AddDate(0, 1, 0),
			})
		}
	}

	pkey := doctor.Name{Table: "event", Name: "event_pkey"}
	positive := doctor.Name{Table: "event", Name: "event_sequence_check"}
	return &found{
		database: doctor.Database{
			Server: is(doctor.Server{Number: 150_006, Version: "15.6", Now: noon, Encoding: "UTF8", ClientEncoding: "UTF8"}),
			Schema: is(doctor.Schema{Version: 3, Needed: 3, Indexes: []doctor.Name{pkey}, Constraints: []doctor.Name{pkey, positive}}),
			Settings: is(doctor.Settings{
				"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "synchronous_standby_names": "",
				"max_connections": "100", "superuser_reserved_connections": "3", "autovacuum": "on", "track_counts": "on",
				"statement_timeout": "0", "lock_timeout": "0", "shared_buffers": "1073741824", "max_wal_size": "4294967296",
				"autovacuum_freeze_max_age": "200000000", "autovacuum_multixact_freeze_max_age": "400000000",
			}),
			Connections: is(doctor.Connections{RoleLimit: -1, DatabaseLimit: -1}),
			Tables: is([]doctor.Table{
				{Name: "event"},
				{Name: "event_p2026_05", Parent: "event"},
				{Name: "session", Options: []string{"fillfactor=70"}, Updates: 5000, HotUpdates: 4900},
			}),
			Indexes: is([]doctor.Index{
				{Table: "event", Name: "event_pkey", Valid: true},
				{Table: "event_p2026_05", Name: "event_p2026_05_pkey", Parent: "event_pkey", Valid: true},
				{Table: "session", Name: "session_started_at_idx", Valid: true, Columns: []string{"session_id", "started_at"}},
			}),
			Constraints: is([]doctor.Constraint{
				{"event", "event_pkey", true},
				{"event", "event_sequence_check", true},
				{"event_p2026_05", "event_p2026_05_pkey", true},
				{"event_p2026_05", "event_sequence_check", true},
			}),
			Partitions: is(partitions),
			Privileges: is(doctor.Privileges{Role: "eye", Schema: "public", Create: true}),
			Trust:      is(doctor.Trust{Owner: "eye", Schema: "public", SchemaOwner: "eye", Creates: true}),
		},
		outside: doctor.ServiceFacts{
			Public: &doctor.Public{
				URL: "https://eye.example.com", Status: 200, Limits: true, Took: 3 * time.Millisecond, RequestID: true,
				Now: noon, Expires: noon.AddDate(0, 2, 0), Hidden: []doctor.Exposure{{Path: "/metrics", Status: 404}},
			},
			Ops: &doctor.Ops{URL: "http://eye:8081", Live: 200, Ready: is(doctor.Readiness{Status: 200}), Profiles: is(404), Version: is("v1.2.3")},
		},
	}
}

func settings() doctor.Config {
	return doctor.Config{
		Version: "v1.2.3", WriteConnections: 4, ReadConnections: 8, WatchConnections: 2,
		WriteTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, MaxAhead: 5 * time.Second,
	}
}

func examine(c doctor.Config, f *found) doctor.Report {
	return doctor.Examine(context.Background(), c, doctor.Deps{Database: f, Service: f})
}

// finding returns the finding of one check.
func finding(t *testing.T, r doctor.Report, check string) doctor.Finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.Check == check {
			return f
		}
	}

	require.FailNow(t, "there is no check "+check)
	return doctor.Finding{}
}

func TestAHealthyDeploymentIsFoundHealthy(t *testing.T) {
	t.Parallel()
	r := examine(settings(), healthy())
	for _, f := range r.Findings {
		require.Equal(t, doctor.OK, f.Result, "%+v", f)
		require.Empty(t, f.Advice)
		require.NotEmpty(t, f.Found, f.Check)
	}

	require.True(t, r.Summary.Reached)
	require.Equal(t, len(r.Findings), r.Summary.OK)
}

func TestJudgement(t *testing.T) {
	t.Parallel()
	const warned, broken = doctor.Warning, doctor.Failed
	hour := time.Hour
	type row struct {
		check  string
		result doctor.Result
		says   string
		damage func(c *doctor.Config, d *doctor.Database, p *doctor.Public, o *doctor.Ops)
	}
	setting := func(name, value string) func(*doctor.Config, *doctor.Database, *doctor.Public, *doctor.Ops) {
		return func(_ *doctor.Config, d *doctor.Database, _ *doctor.Public, _ *doctor.Ops) {
			d.Settings.Value[name] = value
		}
	}
	database := func(damage func(d *doctor.Database)) func(*doctor.Config, *doctor.Database, *doctor.Public, *doctor.Ops) {
		return func(_ *doctor.Config, d *doctor.Database, _ *doctor.Public, _ *doctor.Ops) { damage(d) }
	}
	public := func(damage func(p *doctor.Public)) func(*doctor.Config, *doctor.Database, *doctor.Public, *doctor.Ops) {
		return func(_ *doctor.Config, _ *doctor.Database, p *doctor.Public, _ *doctor.Ops) { damage(p) }
	}
	ops := func(damage func(o *doctor.Ops)) func(*doctor.Config, *doctor.Database, *doctor.Public, *doctor.Ops) {
		return func(_ *doctor.Config, _ *doctor.Database, _ *doctor.Public, o *doctor.Ops) { damage(o) }
	}
	for _, c := range []row{
		{"database.reachable", broken, "refused", database(func(d *doctor.Database) { d.Err = errors.New("connection refused") })},
		{"database.version", broken, "13.9", database(func(d *doctor.Database) { d.Server.Value.Number, d.Server.Value.Version = 130_009, "13.9" })},
		{"database.version", warned, "newer", database(func(d *doctor.Database) { d.Server.Value.Number = 190_000 })},
		{"database.version", warned, "no answer", database(func(d *doctor.Database) { d.Server.Err = errors.New("no answer") })},
		{"database.writable", broken, "standby", database(func(d *doctor.Database) { d.Server.Value.InRecovery = true })},
		{"database.writable", broken, "default_transaction_read_only", database(func(d *doctor.Database) { d.Server.Value.ReadOnly = true })},
		{"database.schema", broken, "at 2, this build needs 3", database(func(d *doctor.Database) { d.Schema.Value.Version = 2 })},
		{"database.fsync", broken, "off", setting("fsync", "off")},
		{"database.full_page_writes", broken, "off", setting("full_page_writes", "off")},
		{"database.synchronous_commit", broken, "off", setting("synchronous_commit", "off")},
		{"database.synchronous_commit", warned, "standbys", func(_ *doctor.Config, d *doctor.Database, _ *doctor.Public, _ *doctor.Ops) {
			d.Settings.Value["synchronous_commit"], d.Settings.Value["synchronous_standby_names"] = "local", "ANY 1 (b)"
		}},
		{"database.synchronous_commit", warned, "role batch in database eye", database(func(d *doctor.Database) {
			d.Overrides.Value = []doctor.Override{{"batch", "eye", "synchronous_commit", "off"}}
		})},
		{"database.connections", broken, "together: 98", func(c *doctor.Config, _ *doctor.Database, _ *doctor.Public, _ *doctor.Ops) { c.Replicas = 7 }},
		{"database.connections", broken, "the role's limit", database(func(d *doctor.Database) { d.Connections.Value.RoleLimit = 10 })},
		{"database.connections", broken, "the database's limit", database(func(d *doctor.Database) { d.Connections.Value.DatabaseLimit = 10 })},
		{"database.connections", warned, "other clients now: 90", database(func(d *doctor.Database) {
			d.Connections.Value.Backends = []doctor.Backend{{Application: "psql", SameDatabase: true, Count: 60}, {Application: "theeye write", Count: 30}}
		})},
		{"database.connections", broken, "replicas: 7", database(func(d *doctor.Database) { // 13 of 2 at most
			d.Connections.Value.Backends = []doctor.Backend{{Application: "theeye watch", SameDatabase: true, Count: 13}}
		})},
		{"database.connections", warned, "95 of 97 allowed connections", func(c *doctor.Config, d *doctor.Database, _ *doctor.Public, _ *doctor.Ops) {
			c.Pooled, d.Connections.Value.Backends = true, []doctor.Backend{{SameDatabase: true, Count: 95}}
		}},
		{"database.timeouts", warned, "idle_session_timeout is 1m0s", setting("idle_session_timeout", "60000")},
		{"database.timeouts", warned, "statement_timeout is not set", func(c *doctor.Config, _ *doctor.Database, _ *doctor.Public, _ *doctor.Ops) { c.Pooled = true }},
		{"database.timeouts", warned, "statement_timeout is 1s, and the service needs 30s", func(c *doctor.Config, d *doctor.Database, _ *doctor.Public, _ *doctor.Ops) {
			c.Pooled, d.Settings.Value["statement_timeout"], d.Settings.Value["lock_timeout"] = true, "1000", "5000"
		}},
		{"database.autovacuum", broken, "track_counts", setting("track_counts", "off")},
		{"database.autovacuum", broken, "event_p2026_05", database(func(d *doctor.Database) { d.Tables.Value[1].Options = []string{"autovacuum_enabled=false"} })},
		{"database.memory", warned, "128.0 MiB", setting("shared_buffers", "134217728")},
		{"schema.indexes", broken, "event_pkey is missing on event_p2026_05", database(func(d *doctor.Database) { d.Indexes.Value[1].Parent = "" })},
		{"schema.indexes", broken, "event_pkey on event is missing", database(func(d *doctor.Database) { d.Indexes.Value = nil })},
		{"schema.indexes", broken, "event_p2026_05_pkey on event_p2026_05 is not valid", database(func(d *doctor.Database) { d.Indexes.Value[1].Valid = false })},
		{"schema.indexes", warned, "missing", database(func(d *doctor.Database) { d.Schema.Value.Version, d.Indexes.Value = 4, nil })},
		{"schema.indexes", doctor.Skipped, "behind", database(func(d *doctor.Database) { d.Schema.Value.Version = 2 })},
		{"schema.constraints", broken, "event_sequence_check on event_p2026_05 is not valid", database(func(d *doctor.Database) { d.Constraints.Value[3].Valid = false })},
		{"schema.constraints", broken, "event_sequence_check on event_p2026_05 is missing", database(func(d *doctor.Database) { d.Constraints.Value = d.Constraints.Value[:3] })},
		{"schema.invalid_indexes", warned, "x_ccnew on session", database(func(d *doctor.Database) {
			d.Indexes.Value = append(d.Indexes.Value, doctor.Index{Table: "session", Name: "x_ccnew"})
		})},
		{"schema.partitions", broken, "event of 2026-06", database(func(d *doctor.Database) { d.Partitions.Value[1].Table = "other" })},
		{"schema.partitions", broken, "rejection of 2026-05", database(func(d *doctor.Database) { d.Partitions.Value[3].Detaching = true })},
		{"schema.partitions", warned, "event of 2026-07", database(func(d *doctor.Database) { d.Partitions.Value[2].Table = "other" })},
		{"schema.partitions", warned, "event of 2026-07", database(func(d *doctor.Database) { // a gap: August is there
			d.Partitions.Value[2].From, d.Partitions.Value[2].To = d.Partitions.Value[2].To, d.Partitions.Value[2].To.AddDate(0, 1, 0)
		})},
		{"schema.partitions", warned, "none yet", database(func(d *doctor.Database) { d.Partitions.Value = nil })},
		{"schema.detached_partitions", warned, "event_p2026_05 is half detached", database(func(d *doctor.Database) { d.Partitions.Value[0].Detaching = true })},
		{"schema.detached_partitions", warned, "event_expired_77", database(func(d *doctor.Database) {
			d.Detached.Value = []doctor.Detached{{Name: "event_expired_77", Table: "event", Marked: true}}
		})},
		{"schema.detached_partitions", doctor.OK, "", database(func(d *doctor.Database) {
			d.Detached.Value = []doctor.Detached{{Name: "event_p2026_01", Table: "event", Month: true}}
		})},
		{"schema.unattached_tables", doctor.OK, "", database(func(d *doctor.Database) {
			d.Detached.Value = []doctor.Detached{{Name: "event_expired_77", Table: "event", Marked: true}}
		})},
		{"schema.unattached_tables", warned, "event_p2026_01 has the name of a partition of event but is not one", database(func(d *doctor.Database) {
			d.Detached.Value = []doctor.Detached{{Name: "event_p2026_01", Table: "event", Month: true}}
		})},
		{"schema.unattached_tables", warned, "event_expired_77 looks like a partition that retention set aside", database(func(d *doctor.Database) {
			d.Detached.Value = []doctor.Detached{{Name: "event_expired_77", Table: "event"}}
		})},
		{"schema.foreign_partitions", broken, "default", database(func(d *doctor.Database) { d.Partitions.Value[0].Default = true })},
		{"schema.foreign_partitions", warned, "event_p2026_05", database(func(d *doctor.Database) { d.Partitions.Value[0].Month = false })},
		{"upkeep.dead_rows", warned, "20000 dead rows beside 30000", database(func(d *doctor.Database) { d.Tables.Value[2].Dead, d.Tables.Value[2].Live = 20_000, 30_000 })},
		{"upkeep.dead_rows", doctor.OK, "", database(func(d *doctor.Database) { d.Tables.Value[2].Dead, d.Tables.Value[2].Live = 20_000, 90_000 })},
		{"upkeep.hot_updates", warned, "fillfactor of session is 100", database(func(d *doctor.Database) { d.Tables.Value[2].Options = nil })},
		{"upkeep.hot_updates", warned, "1000 of 5000", database(func(d *doctor.Database) { d.Tables.Value[2].HotUpdates = 1000 })},
		{"upkeep.hot_updates", warned, "last_event_at", database(func(d *doctor.Database) { d.Indexes.Value[2].Columns = []string{"last_event_at"} })},
		{"upkeep.transaction_ids", warned, "300000000", database(func(d *doctor.Database) { d.Ages.Value.Database = 300_000_000 })},
		{"upkeep.transaction_ids", broken, "1700000000", database(func(d *doctor.Database) { d.Ages.Value.DatabaseMulti = 1_700_000_000 })},
		{"upkeep.transactions", warned, `pid 7 is idle in transaction for 1h0m0s, role ana, "psql"`, database(func(d *doctor.Database) {
			d.Transactions.Value.Open = []doctor.Transaction{{PID: 7, User: "ana", Application: "psql", State: "idle in transaction", Age: hour}}
		})},
		{"upkeep.transactions", warned, `prepared "x"`, database(func(d *doctor.Database) {
			d.Transactions.Value.Open = []doctor.Transaction{{User: "ana", State: "x", Age: hour}}
		})},
		{"upkeep.transactions", doctor.OK, "3 sessions", database(func(d *doctor.Database) {
			d.Transactions.Value = doctor.Transactions{Hidden: 3, Open: []doctor.Transaction{{PID: 7, Age: time.Minute}}}
		})},
		{"upkeep.locks", warned, "pid 8 waits for ExclusiveLock on session, for 1h0m0s so far, blocked by pid 7", database(func(d *doctor.Database) {
			d.Waits.Value = []doctor.Wait{{PID: 8, Mode: "ExclusiveLock", Relation: "session", Waiting: hour, BlockedBy: []int{7}}}
		})},
		{"upkeep.replication_slots", warned, "old retains 2.0 GiB", database(func(d *doctor.Database) { d.Slots.Value = []doctor.Slot{{"old", false, 2 << 30}} })},
		{"disk.size", warned, "85 %", func(c *doctor.Config, d *doctor.Database, _ *doctor.Public, _ *doctor.Ops) {
			c.Capacity, d.Sizes.Value.Database = 100<<30, 85<<30
		}},
		{"disk.size", broken, "96 %", func(c *doctor.Config, d *doctor.Database, _ *doctor.Public, _ *doctor.Ops) {
			c.Capacity, d.Sizes.Value.Database = 100<<30, 96<<30
		}},
		{"privileges.needed", broken, "may not insert on event", database(func(d *doctor.Database) { d.Privileges.Value.Missing = []string{"insert on event"} })},
		{"privileges.needed", broken, "does not own rejection", database(func(d *doctor.Database) { d.Privileges.Value.Foreign = []string{"rejection"} })},
		{"privileges.needed", doctor.OK, "functions", database(func(d *doctor.Database) {
			d.Privileges.Value.Foreign, d.Privileges.Value.Create, d.Privileges.Value.Functions = []string{"event"}, false, true
		})},
		{"privileges.needed", broken, "schema public", database(func(d *doctor.Database) { d.Privileges.Value.Create = false })},
		{"privileges.create", warned, "every role may create objects in the schema public", database(func(d *doctor.Database) {
			d.Trust.Value.Creators = []doctor.Creator{{Kind: "schema", Name: "public", Owner: "postgres", Privilege: "CREATE"}}
		})},
		{"privileges.create", broken, "the role reporting may create schemas in the database eye", database(func(d *doctor.Database) {
			d.Trust.Value.Granted = true
			d.Trust.Value.Creators = []doctor.Creator{{Kind: "database", Name: "eye", Owner: "dba", Privilege: "CREATE", Role: "reporting"}}
		})},
		{"privileges.create", broken, "eye, which owns the tables, may not create objects in the schema public", database(func(d *doctor.Database) { d.Trust.Value.Creates = false })},
		{"privileges.foreign_objects", warned, "the function public.report() belongs to analyst", database(func(d *doctor.Database) {
			d.Trust.Value.UntrustedObjects = []doctor.UntrustedObject{{Kind: "function", Name: "public.report()", Owner: "analyst"}}
		})},
		{"privileges.foreign_objects", broken, "the function public.abs(text) belongs to analyst and has a name that the service uses", database(func(d *doctor.Database) {
			d.Trust.Value.UntrustedObjects = []doctor.UntrustedObject{{Kind: "function", Name: "public.abs(text)", Owner: "analyst", Shadows: true}}
		})},
		{"database.encoding", broken, "LATIN1, not UTF8", database(func(d *doctor.Database) { d.Server.Value.Encoding = "LATIN1" })},
		{"database.encoding", broken, "client_encoding = SQL_ASCII", database(func(d *doctor.Database) { d.Server.Value.ClientEncoding = "SQL_ASCII" })},
		{"privileges.superuser", warned, "eye", database(func(d *doctor.Database) { d.Privileges.Value.Superuser = true })},
		{"access.public_origins", doctor.OK, "", database(func(d *doctor.Database) { d.PublicKeys.Value = publicKeys(3, true, true) })},
		{"access.public_origins", warned, "ABC of shop", database(func(d *doctor.Database) { d.PublicKeys.Value = publicKeys(3, false, true) })},
		{"access.public_types", doctor.OK, "", database(func(d *doctor.Database) { d.PublicKeys.Value = publicKeys(3, true, false) })},
		{"access.public_types", warned, "any name and content", database(func(d *doctor.Database) { d.PublicKeys.Value = publicKeys(0, true, false) })},
		{"access.public_types", warned, "is rejected", database(func(d *doctor.Database) { d.PublicKeys.Value = publicKeys(0, true, true) })},
		{"clock.database", warned, "behind", database(func(d *doctor.Database) { d.Clock.Value.Ahead = -2 * time.Second })},
		{"clock.database", broken, "ahead of", database(func(d *doctor.Database) { d.Clock.Value.Ahead = 6 * time.Second })},
		{"clock.database", doctor.OK, "", database(func(d *doctor.Database) {
			d.Clock.Value = doctor.Clock{Ahead: 6 * time.Second, Uncertainty: 5 * time.Second}
		})},
		{"clock.service", broken, "behind", public(func(p *doctor.Public) { p.Clock.Value.Ahead = -6 * time.Second })},
		{"service.answers", broken, "no such host", public(func(p *doctor.Public) { p.Err = errors.New("no such host") })},
		{"service.answers", broken, "502", public(func(p *doctor.Public) { p.Status, p.Limits = 502, false })},
		{"service.answers", warned, "2s", public(func(p *doctor.Public) { p.Took = 2 * time.Second })},
		{"service.certificate", broken, "expired", public(func(p *doctor.Public) { p.Err, p.Untrusted = errors.New("certificate has expired"), true })},
		{"service.certificate", warned, "2026-05-20", public(func(p *doctor.Public) { p.Expires = noon.AddDate(0, 0, 5) })},
		{"service.certificate", doctor.Skipped, "https", public(func(p *doctor.Public) { p.Expires = time.Time{} })},
		{"service.request_id", warned, "", public(func(p *doctor.Public) { p.RequestID = false })},
		{"service.ops_hidden", broken, "/metrics", public(func(p *doctor.Public) { p.Hidden[0].Status = 200 })},
		{"service.ops_hidden", warned, "502", public(func(p *doctor.Public) { p.Hidden[0].Status = 502 })},
		{"ops.live", broken, "refused", ops(func(o *doctor.Ops) { o.Err = errors.New("connection refused") })},
		{"ops.ready", broken, "503; state: stopping", ops(func(o *doctor.Ops) {
			o.Ready.Value = doctor.Readiness{Status: 503, Failed: []doctor.ReadyCheck{{Name: "state", Required: true, Detail: "stopping"}}}
		})},
		{"ops.ready", warned, "database", ops(func(o *doctor.Ops) { o.Ready.Value.Failed = []doctor.ReadyCheck{{Name: "database"}} })},
		{"ops.pprof", warned, "/debug/pprof/", ops(func(o *doctor.Ops) { o.Profiles.Value = 200 })},
		{"ops.version", warned, "v1.2.2", ops(func(o *doctor.Ops) { o.Version.Value = "v1.2.2" })},
		{"ops.version", doctor.Skipped, "", ops(func(o *doctor.Ops) { o.Version.Value = "" })},
	} {
		t.Run(c.check+" "+string(c.result)+" "+c.says, func(t *testing.T) {
			t.Parallel()
			config, facts := settings(), healthy()
			c.damage(&config, &facts.database, facts.outside.Public, facts.outside.Ops)
			f := finding(t, examine(config, facts), c.check)
			require.Equal(t, c.result, f.Result, "%+v", f)
			require.Contains(t, f.Found, c.says)
			require.Equal(t, c.result == warned || c.result == broken, f.Advice != "", "%+v", f)
		})
	}
}

func TestWhatWasNotAskedForIsSkipped(t *testing.T) {
	t.Parallel()
	r := doctor.Examine(context.Background(), settings(), doctor.Deps{})
	for _, f := range r.Findings {
		require.Equal(t, doctor.Skipped, f.Result, "%+v", f)
		require.NotEmpty(t, f.Found)
	}

	require.False(t, r.Summary.Reached)

	facts := healthy()
	facts.database = doctor.Database{Err: errors.New("away")}
	facts.outside = doctor.ServiceFacts{Public: &doctor.Public{Err: errors.New("away")}, Ops: &doctor.Ops{Err: errors.New("away")}}
	r = examine(settings(), facts)
	require.False(t, r.Summary.Reached)
	require.Equal(t, 3, r.Summary.Failed, "an unreachable part is reported once each")
	facts.outside.Public.Untrusted = true
	require.True(t, examine(settings(), facts).Summary.Reached, "a server that shows a certificate answers")
}

func TestTextsOfStrangersSteerNoTerminal(t *testing.T) {
	t.Parallel()
	facts := healthy()
	facts.database.Transactions.Value.Open = []doctor.Transaction{{PID: 1, Application: "a\x1b[2Jb\nc\u202ed" + strings.Repeat("x", 10_000), Age: time.Hour}}
	facts.outside.Ops.Ready.Value.Failed = []doctor.ReadyCheck{{Name: "x", Detail: "\x1b]0;y\a\r\n  ok z"}}
	r := examine(settings(), facts)
	var text strings.Builder
	require.NoError(t, r.WriteText(&text))
	require.NotContains(t, text.String(), "\x1b")
	require.NotContains(t, text.String(), "\u202e")
	require.NotContains(t, text.String(), "\r")
	require.Less(t, text.Len(), 20_000)
	require.Equal(t, "it is ready, but x: ]0;y ok z", finding(t, r, "ops.ready").Found)
}

func TestTextForPeople(t *testing.T) {
	t.Parallel()
	facts := healthy()
	facts.database.Settings.Value["fsync"] = "off"
	r := examine(settings(), facts)
	var text strings.Builder
	require.NoError(t, r.WriteText(&text))
	require.Regexp(t, `(?m)^  failed   database\.fsync +fsync is off\n +-> Set fsync = on`, text.String())
	require.Regexp(t, `(?m)^upkeep\n  ok       upkeep\.dead_rows +no table has many dead rows$`, text.String())
	require.Contains(t, text.String(), "0 warnings, 1 failed, 0 skipped\n")

	encoded, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(encoded), `{"area":"database","check":"database.fsync","result":"failed","found":"fsync is off","advice":"Set fsync`)
	require.Contains(t, string(encoded), `"failed":1,"skipped":0,"reached":true}`)
}

// TestDocs compares the table of docs/doctor.md with the checks. With -update it
// rewrites the table.
func TestDocs(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- checks:begin -->\n", "<!-- checks:end -->"
	path := filepath.Join("..", "..", "docs", "doctor.md")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, isThere := strings.Cut(string(content), begin)
	require.True(t, isThere, "docs/doctor.md has no line %q", strings.TrimSpace(begin))
	table, after, isThere := strings.Cut(rest, end)
	require.True(t, isThere, "docs/doctor.md has no line %q after that", end)
	if flag.Lookup("update").Value.String() == "true" {
		table = doctor.RenderMarkdown()
		require.NoError(t, os.WriteFile(path, []byte(before+begin+table+end+after), 0o644))
	}

	require.Equal(t, doctor.RenderMarkdown(), table, "go test ./internal/doctor -run TestDocs -update rewrites the table")
}

// publicKeys are one public key, and a number of registered event types.
func publicKeys(types int, hasOrigins, registeredOnly bool) doctor.PublicKeys {
	return doctor.PublicKeys{
		Keys:  []doctor.PublicKey{{ID: "ABC", Application: "shop", HasOrigins: hasOrigins, RegisteredOnly: registeredOnly}},
		Types: types,
	}
}
