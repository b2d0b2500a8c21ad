package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Roles names the roles that use a database. An empty name stands for none.
type Roles struct {
	// Service is the role with which the service connects. It reads and writes rows, and
	// creates, changes and drops nothing.
	Service string
	// Analyst reads events, sessions and rejections, without the raw text of rejections.
	Analyst string
}

// errRoleTooPowerful reports a role that grants cannot limit.
var errRoleTooPowerful = errors.New("is a superuser, or a member of the role that owns the tables: grants would not limit it")

// MakeRoles creates the roles that are missing, without a password, and grants each the
// privileges it needs and no more. It may run again after every migration and revokes other
// grants. If a role could still become the owner of the tables, it changes nothing and reports
// what has to be done, and by which role. It needs the owner of the tables, with CREATEROLE if a
// role is missing.
func MakeRoles(ctx context.Context, url string, roles Roles) error {
	config, err := parseURL(url)
	if err != nil {
		return err
	}

	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return translateError(err, "connect")
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is pending on it

	err = retryConcurrentUpdate(ctx, conn, func(tx pgx.Tx) error {
		if err := checkPlanted(ctx, tx, roles.Service, roles.Analyst); err != nil {
			return err
		}

		g := granter{tx: tx}
		if err := tx.QueryRow(ctx, placeSQL, versionTable).Scan(&g.database, &g.schema, &g.owner); err != nil {
			if errors.Is(err, pgx.ErrNoRows) {
				return ErrSchemaBehind
			}

			return err
		}

		if err := g.loadTables(ctx); err != nil {
			return err
		}

		if err := g.runStatements(ctx, publicStatements); err != nil {
			return err
		}

		if roles.Service != "" {
			if err := g.grantRole(ctx, roles.Service, serviceStatements); err != nil {
				return err
			}
		}

		if roles.Analyst != "" {
			if err := g.grantRole(ctx, roles.Analyst, analystStatements); err != nil {
				return err
			}
		}

		return g.verifyTrust(ctx, roles.Service, roles.Analyst)
	})
	if errors.Is(err, errRoleTooPowerful) || errors.Is(err, ErrSchemaBehind) || errors.Is(err, errUntrustworthy) || errors.Is(err, ErrPlanted) {
		return err
	}

	if s := sqlState(err); s == stateInsufficientPrivilege {
		return fmt.Errorf("make roles: run this as the owner of the tables, with the right to create roles (alter role ... createrole): %w", conciseError(err))
	}

	return translateError(err, "make roles")
}

// retryConcurrentUpdate retries a transaction when another one changed the same role: roles
// belong to all databases of a cluster, and Postgres does not serialise their changes.
func retryConcurrentUpdate(ctx context.Context, conn *pgx.Conn, run func(pgx.Tx) error) error {
	return transactionRetry().run(ctx, func() (retryDecision, error) {
		err := pgx.BeginFunc(ctx, conn, run)
		var pg *pgconn.PgError
		if errors.As(err, &pg) && strings.HasPrefix(pg.Message, "tuple concurrently") {
			return retryCounted, err
		}

		return giveUp, err
	})
}

// placeSQL reads the catalogue, and waits for another transaction that makes roles.
const placeSQL = `
select current_database()::text, n.nspname::text, r.rolname::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_roles r on r.oid = c.relowner,
	(select pg_advisory_xact_lock(hashtext('theeye roles'))) as locked
where c.oid = to_regclass('event') and to_regclass($1) is not null`

// granter fills in the placeholders of statements.
type granter struct {
	tx                            pgx.Tx
	database, schema, owner, role string
	// all holds the tables, the partitions and the former partitions.
	all []string
}

// ownTablesSQL reads the catalogue.
const ownTablesSQL = schemaTablesSQL + `
select name from ours
union select c.relname from pg_class c join pg_class e on e.oid = to_regclass('event') and e.relnamespace = c.relnamespace
where c.relkind = 'r' and not c.relispartition and c.relowner = e.relowner and c.relname ~ '^(event|rejection)_(p[0-9]{4}_[0-9]{2}|expired_[0-9]+)$'`

func (g *granter) loadTables(ctx context.Context) error {
	names, err := collectRows(ctx, g.tx, pgx.RowTo[string], ownTablesSQL, tableNames())
	for _, name := range names {
		g.all = append(g.all, pgx.Identifier{g.schema, name}.Sanitize())
	}

	return err
}

// Grants are statements with placeholders: DATABASE, SCHEMA, OWNER and ROLE are names, and
// TABLES is the list of the service's tables.
const (
	// The default privileges of every role would undo the grants below.
	publicStatements = `
revoke create on schema SCHEMA from public;
revoke temporary on database DATABASE from public`

	// Partitions are read and written by name once they are detached, so tables created later
	// are granted too. Entries of the audit log can only be added and read, and the marks of
	// retention only be read: its functions write them.
	serviceStatements = `
grant connect on database DATABASE to ROLE;
revoke create on schema SCHEMA from ROLE;
grant usage on schema SCHEMA to ROLE;
revoke all on TABLES from ROLE;
grant select, insert, update, delete on TABLES to ROLE;
revoke update, delete on SCHEMA.audit_entry from ROLE;
revoke insert, update, delete on SCHEMA.expired_partition from ROLE;
grant select on SCHEMA.schema_version to ROLE;
alter default privileges for role OWNER in schema SCHEMA grant select, insert, update, delete on tables to ROLE;
grant execute on function SCHEMA.theeye_make_partition(text, integer, integer) to ROLE;
grant execute on function SCHEMA.theeye_mark_expired(text, text, timestamptz) to ROLE;
grant execute on function SCHEMA.theeye_detach_partition(text, text), SCHEMA.theeye_detach_partition(text, text, timestamptz) to ROLE;
grant execute on function SCHEMA.theeye_set_aside(text), SCHEMA.theeye_set_aside(text, timestamptz) to ROLE;
grant execute on function SCHEMA.theeye_drop_expired(text), SCHEMA.theeye_drop_expired(text, timestamptz) to ROLE;
grant execute on function SCHEMA.theeye_expire_audit(timestamptz, integer) to ROLE`

	// The raw text of rejections holds data that no schema has validated.
	analystStatements = `
grant connect on database DATABASE to ROLE;
revoke create on schema SCHEMA from ROLE;
grant usage on schema SCHEMA to ROLE;
revoke all on TABLES from ROLE;
grant select on SCHEMA.event, SCHEMA.session, SCHEMA.event_type, SCHEMA.event_type_version to ROLE;
grant select (application_id, name, disabled, created_at) on SCHEMA.application to ROLE;
grant select (rejection_id, received_at, application_id, code, errors, event_id, session_id, category, name, "timestamp", raw_size,
	status, event_type_version, replayed_at, outcome, outcome_event_id, outcome_errors) on SCHEMA.rejection to ROLE;
alter role ROLE in database DATABASE set default_transaction_read_only = on;
alter role ROLE in database DATABASE set statement_timeout = '60s';
alter role ROLE in database DATABASE set idle_in_transaction_session_timeout = '60s'`
)

// powerSQL reads the catalogue: whether a role exists, and whether it is too powerful.
const powerSQL = `select r.rolsuper or pg_has_role(r.oid, $2, 'member') from pg_roles r where r.rolname = $1`

func (g *granter) grantRole(ctx context.Context, role, statements string) error {
	g.role = role
	powerful := false
	err := g.tx.QueryRow(ctx, powerSQL, role, g.owner).Scan(&powerful)
	if errors.Is(err, pgx.ErrNoRows) {
		err = g.createRole(ctx)
	}

	if err != nil {
		return err
	}

	if powerful {
		return fmt.Errorf("the role %s %w", role, errRoleTooPowerful)
	}

	return g.runStatements(ctx, statements)
}

// createRole creates the role, unless a session in another database of the server just did.
func (g *granter) createRole(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, g.tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "create role "+pgx.Identifier{g.role}.Sanitize()+" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls")
		return err
	})
	if state := sqlState(err); state == stateDuplicateObject || state == stateUniqueViolation {
		return nil
	}

	return err
}

func (g *granter) runStatements(ctx context.Context, statements string) error {
	name := func(text string) string { return pgx.Identifier{text}.Sanitize() }
	fill := strings.NewReplacer("DATABASE", name(g.database), "SCHEMA", name(g.schema), "OWNER", name(g.owner),
		"ROLE", name(g.role), "TABLES", strings.Join(g.all, ", "))
	for statement := range strings.SplitSeq(statements, ";") {
		if _, err := g.tx.Exec(ctx, fill.Replace(statement)); err != nil {
			return err
		}
	}

	return nil
}
