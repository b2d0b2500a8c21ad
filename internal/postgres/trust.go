package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/doctor"
)

// Postgres looks up a function by its name and arguments in all schemas of search_path: a
// function whose arguments fit better is run in place of that of pg_catalog, with the rights of
// the caller. So only roles that are trusted with the tables may create objects in those
// schemas, and existing objects of other roles are reported.
//
// Trusted are superusers and the owners of the tables, of the schema and of the database, with
// the roles that are members of them.

// pathSQL reads the schemas of the path. All its names are qualified.
const pathSQL = `select pg_catalog.current_schemas(false)::pg_catalog.text[], pg_catalog.current_setting('search_path')`

// setPathSQL sets the path until the end of the transaction.
const setPathSQL = `select pg_catalog.set_config('search_path', $1, true)`

// trustSQL begins the statements about trust, which run with only pg_catalog on the path: they
// must not run the objects that they search for. Their first parameter is the schemas, in the
// order of the path. Before the tables exist, the current role counts as their owner. It reads
// the catalogue and takes no lock.
const trustSQL = `
with place as (select n.oid, n.nspname, n.nspowner, n.nspacl from pg_namespace n where n.nspname = any ($1::text[])),
owner as (select coalesce(
	(select c.relowner from pg_class c join place n on n.oid = c.relnamespace
		where c.relname = 'event' and c.relkind = 'p' order by array_position($1::text[], n.nspname::text) limit 1),
	(select u.oid from pg_roles u where u.rolname = current_user)) as oid),
base as (select d.oid, d.datname, d.datdba, d.datacl from pg_database d where d.datname = current_database()),
stranger as (select n.oid as schema, r.oid as role from place n cross join owner cross join base cross join pg_roles r
	where not r.rolsuper and not pg_has_role(r.oid, owner.oid, 'member')
		and not pg_has_role(r.oid, n.nspowner, 'member') and not pg_has_role(r.oid, base.datdba, 'member'))`

// creatorsSQL reads which grants let untrusted roles create objects in the schemas, or schemas.
const creatorsSQL = trustSQL + `
select 'schema'::text, n.nspname::text, pg_get_userbyid(n.nspowner)::text, a.privilege_type::text, coalesce(r.rolname::text, '')
from place n cross join aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a left join pg_roles r on r.oid = a.grantee
where a.privilege_type = 'CREATE' and (a.grantee = 0 or exists (select from stranger s where s.schema = n.oid and s.role = a.grantee))
union all
select 'database', base.datname::text, pg_get_userbyid(base.datdba)::text, a.privilege_type::text, coalesce(r.rolname::text, '')
from base cross join aclexplode(coalesce(base.datacl, acldefault('d', base.datdba))) a left join pg_roles r on r.oid = a.grantee
where a.privilege_type = any ($2::text[]) and (a.grantee = 0 or a.privilege_type = 'CREATE' and exists (select from stranger s where s.role = a.grantee))
order by 1 desc, 2, 5`

// plantedSQL reads the functions and operators of untrusted roles in the schemas, and their
// tables that have the name of one of the service's. Casts need no check: the role that creates
// a cast owns one of its types, and no statement of the service has values of such a type.
const plantedSQL = trustSQL + `
select f.kind, f.name, pg_get_userbyid(f.owner)::text, f.shadows
from place n join (
	select 'function'::text as kind, p.oid::regprocedure::text as name, p.proowner as owner, p.pronamespace as schema,
		p.proname like 'theeye\_%' or exists (select from pg_proc b where b.pronamespace = 'pg_catalog'::regnamespace and b.proname = p.proname) as shadows
	from pg_proc p
	union all
	select 'operator', o.oid::regoperator::text, o.oprowner, o.oprnamespace,
		exists (select from pg_operator b where b.oprnamespace = 'pg_catalog'::regnamespace and b.oprname = o.oprname)
	from pg_operator o
	union all
	select 'table', c.oid::regclass::text, c.relowner, c.relnamespace, true
	from pg_class c where c.relname = any ($2::text[])
) f on f.schema = n.oid
where exists (select from stranger s where s.schema = n.oid and s.role = f.owner)
order by 1, 2`

// grantedSQL reads whether the owner may create objects in the schema, and whether any other
// role has rights on the events.
const grantedSQL = trustSQL + `
select pg_get_userbyid(owner.oid)::text, coalesce(home.nspname::text, ''), coalesce(pg_get_userbyid(home.nspowner)::text, ''),
	coalesce(has_schema_privilege(owner.oid, home.oid, 'create'), true),
	exists (select from pg_class c join place n on n.oid = c.relnamespace cross join aclexplode(c.relacl) a
		where c.relname = 'event' and c.relowner = owner.oid and a.grantee <> owner.oid)
from owner left join (select n.oid, n.nspname, n.nspowner from pg_class c join place n on n.oid = c.relnamespace
	where c.relname = 'event' and c.relkind = 'p' order by array_position($1::text[], n.nspname::text) limit 1) home on true`

// readTrust reads which roles may create objects that statements of the service, or of the given
// roles, could run. Such a role searches the schema of its own name first.
func readTrust(ctx context.Context, tx pgx.Tx, privileges []string, roles ...string) (t doctor.Trust, err error) {
	var schemas []string
	var path string
	if err = tx.QueryRow(ctx, pathSQL).Scan(&schemas, &path); err != nil {
		return t, err
	}

	if _, err = tx.Exec(ctx, setPathSQL, "pg_catalog, pg_temp"); err != nil {
		return t, err
	}

	schemas = append(schemas, roles...)
	if err = tx.QueryRow(ctx, grantedSQL, schemas).Scan(&t.Owner, &t.Schema, &t.SchemaOwner, &t.Creates, &t.Granted); err != nil {
		return t, err
	}

	if t.Creators, err = readAll[doctor.Creator](ctx, tx, creatorsSQL, schemas, privileges); err != nil {
		return t, err
	}

	if t.UntrustedObjects, err = readAll[doctor.UntrustedObject](ctx, tx, plantedSQL, schemas, append(tableNames(), versionTable)); err != nil {
		return t, err
	}

	_, err = tx.Exec(ctx, setPathSQL, path)
	return t, err
}

// readSchemaTrust reads the trust for the doctor. Temporary tables are not a danger.
func readSchemaTrust(ctx context.Context, tx pgx.Tx) (doctor.Trust, error) {
	return readTrust(ctx, tx, []string{"CREATE"})
}

var (
	// ErrPlanted reports objects of other roles that would be run instead of the intended ones.
	ErrPlanted = errors.New("there are objects of other roles in the schemas of search_path")

	errUntrustworthy = errors.New("no role was changed, because a role could still become the owner of the tables by a function of its own")
)

// checkPlanted returns ErrPlanted if a function, an operator or a table of an untrusted role has
// a name that is used here. It precedes all other work of the owner.
func checkPlanted(ctx context.Context, tx pgx.Tx, roles ...string) error {
	trust, err := readTrust(ctx, tx, nil, roles...)
	if err != nil {
		return err
	}

	var found []string
	for _, p := range trust.UntrustedObjects {
		if p.Shadows {
			found = append(found, p.DescribeRemedy())
		}
	}

	if len(found) > 0 {
		return fmt.Errorf("%w: %s", ErrPlanted, strings.Join(found, "; "))
	}

	return nil
}

// verifyTrust requires that no untrusted role, the new roles included, can create objects, and
// that the owner can.
func (g *granter) verifyTrust(ctx context.Context, roles ...string) error {
	trust, err := readTrust(ctx, g.tx, []string{"CREATE", "TEMPORARY"}, roles...)
	if err != nil {
		return err
	}

	if remedies := trust.ListRemedies(); len(remedies) > 0 {
		return fmt.Errorf("%w: %s", errUntrustworthy, strings.Join(remedies, "; "))
	}

	return nil
}
