package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/doctor"
)

// serverSQL uses no table. It reads the default of default_transaction_read_only for sessions,
// since the transaction itself is read-only.
const serverSQL = `
select current_setting('server_version_num')::integer, current_setting('server_version'), pg_is_in_recovery(),
	(select reset_val = 'on' from pg_settings where name = 'default_transaction_read_only'), clock_timestamp(),
	current_setting('server_encoding'), current_setting('client_encoding')`

func readServer(ctx context.Context, tx pgx.Tx) (doctor.Server, error) {
	return readOne[doctor.Server](ctx, tx, serverSQL)
}

// inspectedSettingsSQL reads the defaults of settings for sessions, sizes in bytes.
const inspectedSettingsSQL = `
select name, case unit when '8kB' then (reset_val::bigint * 8192)::text when 'kB' then (reset_val::bigint * 1024)::text
	when 'MB' then (reset_val::bigint * 1048576)::text when 's' then (reset_val::bigint * 1000)::text else coalesce(reset_val, '') end
from pg_settings where name = any ($1)`

func readSettings(ctx context.Context, tx pgx.Tx) (doctor.Settings, error) {
	rows, err := readAll[struct{ Name, Value string }](ctx, tx, inspectedSettingsSQL, []string{
		"fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names",
		"max_connections", "superuser_reserved_connections", "reserved_connections",
		"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout", "transaction_timeout",
		"autovacuum", "track_counts", "track_io_timing", "shared_buffers", "max_wal_size",
		"autovacuum_freeze_max_age", "autovacuum_multixact_freeze_max_age",
	})
	settings := make(doctor.Settings, len(rows))
	for _, row := range rows {
		settings[row.Name] = row.Value
	}

	return settings, err
}

// overridesSQL reads the settings of roles in this database or in all.
const overridesSQL = `
select coalesce(r.rolname, ''), coalesce(d.datname, ''), split_part(c.setting, '=', 1), split_part(c.setting, '=', 2)
from pg_db_role_setting s cross join unnest(s.setconfig) c (setting)
	left join pg_roles r on r.oid = s.setrole left join pg_database d on d.oid = s.setdatabase
where (s.setdatabase = 0 or d.datname = current_database()) and c.setting like 'synchronous\_commit=%'
order by 1, 2`

func readOverrides(ctx context.Context, tx pgx.Tx) ([]doctor.Override, error) {
	return readAll[doctor.Override](ctx, tx, overridesSQL)
}

// backendsSQL counts clients. A role without pg_read_all_stats sees neither the address nor the
// kind of the sessions of other roles.
const backendsSQL = `
select coalesce(application_name, ''), coalesce(host(client_addr), ''), coalesce(datname = current_database(), false), count(*)
from pg_stat_activity
where (backend_type = 'client backend' or backend_type is null and usesysid is not null) and pid <> pg_backend_pid()
group by 1, 2, 3 order by 1, 2, 3`

// connectionLimitsSQL reads the limits of role and database, -1 for none.
const connectionLimitsSQL = `
select r.rolsuper, r.rolconnlimit, d.datconnlimit from pg_roles r, pg_database d
where r.rolname = current_user and d.datname = current_database()`

func readConnections(ctx context.Context, tx pgx.Tx) (c doctor.Connections, err error) {
	if c.Backends, err = readAll[doctor.Backend](ctx, tx, backendsSQL); err != nil {
		return c, err
	}

	err = tx.QueryRow(ctx, connectionLimitsSQL).Scan(&c.Superuser, &c.RoleLimit, &c.DatabaseLimit)
	return c, err
}

// transactionsSQL reads the oldest transactions that can hold back vacuum here: those of this
// database's sessions, and those prepared in it. xact_start is hidden from a role without the
// right to see it.
const transactionsSQL = `
select pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(host(client_addr), ''), coalesce(state, ''),
	extract(epoch from clock_timestamp() - xact_start)::float8
from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and xact_start is not null and pid <> pg_backend_pid()
union all
select 0, owner, '', '', gid, extract(epoch from clock_timestamp() - prepared)::float8 from pg_prepared_xacts where database = current_database()
order by 6 desc limit 20`

// hiddenSQL counts the sessions whose details are hidden from the role.
const hiddenSQL = `select count(*) from pg_stat_activity where datname = current_database() and usesysid is not null and backend_type is null`

func readTransactions(ctx context.Context, tx pgx.Tx) (t doctor.Transactions, err error) {
	rows, err := readAll[struct {
		PID                              int
		User, Application, Client, State string
		Seconds                          float64
	}](ctx, tx, transactionsSQL)
	if err != nil {
		return t, err
	}

	for _, r := range rows {
		t.Open = append(t.Open, doctor.Transaction{
			PID:         r.PID,
			User:        r.User,
			Application: r.Application,
			Client:      r.Client,
			State:       r.State,
			Age:         secondsToDuration(r.Seconds),
		})
	}

	err = tx.QueryRow(ctx, hiddenSQL).Scan(&t.Hidden)
	return t, err
}

// waitsSQL reads the sessions that wait for a lock in this database, and those that block them.
const waitsSQL = `
select l.pid, coalesce(a.application_name, ''), coalesce(l.relation::regclass::text, ''), l.mode,
	greatest(extract(epoch from clock_timestamp() - coalesce(l.waitstart, clock_timestamp())), 0)::float8, pg_blocking_pids(l.pid)
from pg_locks l join pg_stat_activity a on a.pid = l.pid
where not l.granted and a.datname = current_database()
order by 5 desc limit 20`

func readWaits(ctx context.Context, tx pgx.Tx) ([]doctor.Wait, error) {
	rows, err := readAll[struct {
		PID                         int
		Application, Relation, Mode string
		Seconds                     float64
		By                          []int
	}](ctx, tx, waitsSQL)
	waits := make([]doctor.Wait, len(rows))
	for n, r := range rows {
		waits[n] = doctor.Wait{
			PID:         r.PID,
			Application: r.Application,
			Relation:    r.Relation,
			Mode:        r.Mode,
			Waiting:     secondsToDuration(r.Seconds),
			BlockedBy:   r.By,
		}
	}

	return waits, err
}

// slotsSQL reads how much of the log each replication slot retains. A standby has no position to
// compare with.
const slotsSQL = `
select slot_name::text, active, case when pg_is_in_recovery() then 0 else
	coalesce(greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0), 0)::bigint end
from pg_replication_slots order by 1`

func readSlots(ctx context.Context, tx pgx.Tx) ([]doctor.Slot, error) {
	return readAll[doctor.Slot](ctx, tx, slotsSQL)
}

// readClock compares the clocks. Of a few tries the quickest is the most exact; half its round
// trip is subtracted.
func (i *Inspector) readClock(ctx context.Context, tx pgx.Tx) (doctor.Clock, error) {
	const tries = 3
	var best doctor.Clock
	for n := range tries {
		var at time.Time
		begin := i.now()
		if err := tx.QueryRow(ctx, "select clock_timestamp()").Scan(&at); err != nil {
			return best, err
		}

		half := i.now().Sub(begin) / 2
		if n == 0 || half < best.Uncertainty {
			best = doctor.Clock{Ahead: at.Sub(begin) - half, Uncertainty: half}
		}
	}

	return best, nil
}

func secondsToDuration(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
