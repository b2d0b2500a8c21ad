package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/doctor"
)

// additionsSQL reads from the catalogue everything that can refuse or change a row of the
// service's tables, and takes no lock. Objects that a partition inherits count for its table.
// The service's own constraints are included, since the caller knows them. Not-null constraints,
// which the catalogue has from version 18 on, are left out.
const additionsSQL = schemaTablesSQL + `
select 'trigger', o.name, t.tgname::text from ours o join pg_trigger t on t.tgrelid = o.oid
where not t.tgisinternal and t.tgparentid = 0 and t.tgenabled <> 'D'
union all
select 'rule', o.name, r.rulename::text from ours o join pg_rewrite r on r.ev_class = o.oid where r.ev_enabled <> 'D'
union all
select 'row security policy', o.name, p.polname::text from ours o join pg_policy p on p.polrelid = o.oid
union all
select 'constraint', o.name, c.conname::text from ours o join pg_constraint c on c.conrelid = o.oid
where c.contype not in ('n', 't') and c.conparentid = 0 and c.coninhcount = 0
union all
select 'unique index', o.name, i.relname::text from ours o join pg_index x on x.indrelid = o.oid join pg_class i on i.oid = x.indexrelid
where x.indisunique and not i.relispartition and not exists (select from pg_constraint c where c.conindid = x.indexrelid)
union all
select 'foreign key of ' || c.conrelid::regclass, o.name, c.conname::text from ours o join pg_constraint c on c.confrelid = o.oid
where c.contype = 'f' and c.conparentid = 0 and c.conrelid not in (select oid from ours)
order by 2, 1, 3`

func readAdditions(ctx context.Context, tx pgx.Tx) ([]doctor.Addition, error) {
	return readAll[doctor.Addition](ctx, tx, additionsSQL, tableNames())
}
