package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/doctor"
)

// tablesSQL reads the catalogue and the statistics, and takes no lock.
const tablesSQL = schemaTablesSQL + `
select o.name, o.parent, coalesce(o.reloptions, '{}'), coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0),
	coalesce(s.n_tup_upd, 0), coalesce(s.n_tup_hot_upd, 0), greatest(s.last_vacuum, s.last_autovacuum), pg_has_role(o.relowner, 'usage')
from ours o left join pg_stat_all_tables s on s.relid = o.oid
order by 1`

func readTables(ctx context.Context, tx pgx.Tx) ([]doctor.Table, error) {
	rows, err := readAll[struct {
		Name, Parent       string
		Options            []string
		Live, Dead         int64
		Updates, HotUpdate int64
		Vacuum             *time.Time
		Owned              bool
	}](ctx, tx, tablesSQL, tableNames())
	tables := make([]doctor.Table, len(rows))
	for n, r := range rows {
		tables[n] = doctor.Table{
			Name:       r.Name,
			Parent:     r.Parent,
			Options:    r.Options,
			Live:       r.Live,
			Dead:       r.Dead,
			Updates:    r.Updates,
			HotUpdates: r.HotUpdate,
			Owned:      r.Owned,
		}
		if r.Vacuum != nil {
			tables[n].LastVacuum = *r.Vacuum
		}
	}

	return tables, err
}

// indexesSQL reads the catalogue and takes no lock. Indexes of payloads are left out: they come
// and go, and the service itself rebuilds those that are half built.
const indexesSQL = schemaTablesSQL + `
select o.name, i.relname::text, coalesce(p.relname::text, ''), x.indisvalid and x.indisready and x.indislive,
	array(select a.attname::text from pg_attribute a where a.attrelid = o.oid and a.attnum = any (x.indkey::smallint[]) and a.attnum > 0 order by a.attnum)
from ours o join pg_index x on x.indrelid = o.oid join pg_class i on i.oid = x.indexrelid
	left join pg_inherits h on h.inhrelid = i.oid left join pg_class p on p.oid = h.inhparent
where i.relname !~ '^event_data_[0-9a-f]{16}_\d+$'
order by 1, 2`

func readIndexes(ctx context.Context, tx pgx.Tx) ([]doctor.Index, error) {
	return readAll[doctor.Index](ctx, tx, indexesSQL, tableNames())
}

// constraintsSQL reads the catalogue and takes no lock. Not-null constraints, which the
// catalogue has from version 18 on, are left out.
const constraintsSQL = schemaTablesSQL + `
select o.name, c.conname::text, c.convalidated from ours o join pg_constraint c on c.conrelid = o.oid
where c.contype <> 'n' order by 1, 2`

func readConstraints(ctx context.Context, tx pgx.Tx) ([]doctor.Constraint, error) {
	return readAll[doctor.Constraint](ctx, tx, constraintsSQL, tableNames())
}

// boundedPartitionsSQL reads the catalogue and takes no lock. A bound is null if there is none,
// or if it is not that of a single column in time.
const boundedPartitionsSQL = `
select p.relname::text, c.relname::text, c.relkind::text, pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', i.inhdetachpending,
	substring(pg_get_expr(c.relpartbound, c.oid) from 'FROM \(''([^'']+)''\)')::timestamptz,
	substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(''([^'']+)''\)')::timestamptz
from pg_class p join pg_inherits i on i.inhparent = p.oid join pg_class c on c.oid = i.inhrelid
where p.oid in (to_regclass('event'), to_regclass('rejection'))
order by 1, 2`

func readPartitions(ctx context.Context, tx pgx.Tx) ([]doctor.Partition, error) {
	rows, err := readAll[struct {
		Table, Name, Kind  string
		Default, Detaching bool
		From, To           *time.Time
	}](ctx, tx, boundedPartitionsSQL)
	found := make([]doctor.Partition, len(rows))
	for n, r := range rows {
		p := doctor.Partition{Table: r.Table, Name: r.Name, Default: r.Default, Detaching: r.Detaching}
		if r.From != nil {
			p.From = *r.From
		}

		p.To = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
		if r.To != nil {
			p.To = *r.To
		}

		if m, ok := parseMonth(r.Table, r.Name); ok {
			p.Month = r.Kind == "r" && p.From.Equal(m.start()) && p.To.Equal(m.end())
		}

		found[n] = p
	}

	return found, err
}

// detachedSQL reads the catalogue: the tables in the schema of the partitioned ones that are
// named like partitions, before or after they were set aside, and are not attached; and whether
// retention has marked them.
const detachedSQL = `
select c.relname::text, p.relname::text, c.relname ~ '_p[0-9]{4}_[0-9]{2}$',
	exists (select from expired_partition m where m.table_oid = c.oid and m.database_id = theeye_database_id()
		and c.relname in (m.table_name, m.parent_table || '_expired_' || c.oid))
from pg_class p join pg_class c on c.relnamespace = p.relnamespace
where p.oid in (to_regclass('event'), to_regclass('rejection')) and c.relkind in ('r', 'p', 'f') and not c.relispartition
	and c.relname ~ ('^' || p.relname || '_(p[0-9]{4}_[0-9]{2}|expired_[0-9]+)$')
order by 1`

// readDetached lists the tables that are named like partitions but are not partitions.
func readDetached(ctx context.Context, tx pgx.Tx) ([]doctor.Detached, error) {
	return readAll[doctor.Detached](ctx, tx, detachedSQL)
}

// agesSQL reads the catalogue and takes no lock.
const agesSQL = schemaTablesSQL + `
select age(d.datfrozenxid)::bigint, mxid_age(d.datminmxid)::bigint, coalesce(t.name, ''), coalesce(t.age, 0)::bigint
from pg_database d left join lateral (
	select name, age(relfrozenxid) as age from ours where relkind = 'r' order by 2 desc, 1 limit 1) t on true
where d.datname = current_database()`

func readAges(ctx context.Context, tx pgx.Tx) (doctor.Ages, error) {
	return readOne[doctor.Ages](ctx, tx, agesSQL, tableNames())
}

// tableSizesSQL locks each table against being dropped, and waits for a transaction that drops
// one.
const tableSizesSQL = schemaTablesSQL + `
select coalesce(nullif(parent, ''), name) as title, sum(pg_total_relation_size(oid))::bigint from ours
group by 1 order by 2 desc, 1`

func readSizes(ctx context.Context, tx pgx.Tx) (s doctor.Sizes, err error) {
	if err = tx.QueryRow(ctx, "select pg_database_size(current_database())").Scan(&s.Database); err != nil {
		return s, err
	}

	s.Tables, err = readAll[doctor.TableSize](ctx, tx, tableSizesSQL, tableNames())
	return s, err
}

// publicKeysSQL reads the public keys in use.
const publicKeysSQL = `
select k.key_id, a.name, k.any_origin or cardinality(a.allowed_origins) > 0, k.registered_only
from api_key k join application a using (application_id)
where k.public and not a.disabled and k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())
order by a.name, k.key_id`

func readPublicKeys(ctx context.Context, tx pgx.Tx) (p doctor.PublicKeys, err error) {
	if p.Keys, err = readAll[doctor.PublicKey](ctx, tx, publicKeysSQL); err != nil {
		return p, err
	}

	err = tx.QueryRow(ctx, "select count(*) from event_type where deleted_at is null").Scan(&p.Types)
	return p, err
}

// rolePrivilegesSQL reads the privileges of the role in the schema of the tables.
const rolePrivilegesSQL = `
select r.rolname::text, r.rolsuper, coalesce(n.nspname::text, ''), coalesce(has_schema_privilege(n.oid, 'create'), false)
from pg_roles r left join pg_class c on c.oid = to_regclass('event') left join pg_namespace n on n.oid = c.relnamespace
where r.rolname = current_user`

// missingPrivilegesSQL reads the privileges on the tables that the role lacks.
const missingPrivilegesSQL = schemaTablesSQL + `
select string_agg(p.privilege, '/' order by p.place) || ' on ' || o.name
from ours o cross join unnest(array['select', 'insert', 'update', 'delete']) with ordinality p (privilege, place)
where o.parent = '' and not has_table_privilege(o.oid, p.privilege)
	and not (o.name = 'audit_entry' and p.privilege in ('update', 'delete'))
	and not (o.name = 'expired_partition' and p.privilege <> 'select')
group by o.name
union all
select 'select on schema_version' where not has_table_privilege('schema_version', 'select')
order by 1`

// functionPrivilegesSQL reads whether the role may call all functions that create and drop
// partitions. They are in the schema of the tables.
const functionPrivilegesSQL = `
select count(*) filter (where has_function_privilege(f.oid, 'execute')) = 6
from pg_proc f join pg_class c on c.oid = to_regclass('event') and c.relnamespace = f.pronamespace
where f.proname || '(' || oidvectortypes(f.proargtypes) || ')' in ('theeye_make_partition(text, integer, integer)',
	'theeye_mark_expired(text, text, timestamp with time zone)', 'theeye_detach_partition(text, text, timestamp with time zone)',
	'theeye_set_aside(text, timestamp with time zone)', 'theeye_drop_expired(text, timestamp with time zone)',
	'theeye_expire_audit(timestamp with time zone, integer)')`

func readPrivileges(ctx context.Context, tx pgx.Tx) (p doctor.Privileges, err error) {
	if err = tx.QueryRow(ctx, rolePrivilegesSQL).Scan(&p.Role, &p.Superuser, &p.Schema, &p.Create); err != nil {
		return p, err
	}

	if err = tx.QueryRow(ctx, functionPrivilegesSQL).Scan(&p.Functions); err != nil {
		return p, err
	}

	missing, err := readAll[struct{ Text string }](ctx, tx, missingPrivilegesSQL, tableNames())
	if err != nil {
		return p, err
	}

	for _, m := range missing {
		p.Missing = append(p.Missing, m.Text)
	}

	tables, err := readTables(ctx, tx)
	for _, t := range tables {
		if !t.Owned && (t.Parent != "" || t.Name == eventTable || t.Name == rejectionTable) {
			p.Foreign = append(p.Foreign, t.Name)
		}
	}

	return p, err
}
