package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// deniedSQL reads why the schema cannot be changed: the role, the database, whether the role may
// create tables, and the owner of the existing tables.
const deniedSQL = `select current_user, current_database(), has_schema_privilege('public', 'create'),
	coalesce((select tableowner from pg_catalog.pg_tables where schemaname = 'public' and tablename = 'event'), current_user)`

// explainDenied adds to an error of a migration for which the role lacks a privilege what
// an administrator has to do. Other errors stay as they are. The context of the migration
// may have ended, so it has one of its own.
//
//nolint:contextcheck,nolintlint // see above; contextcheck reads this by itself
func explainDenied(db *sql.DB, err error) error {
	if sqlState(err) != stateInsufficientPrivilege {
		return err
	}

	const budget = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()

	var role, database, owner string
	var mayCreate bool
	if db.QueryRowContext(ctx, deniedSQL).Scan(&role, &database, &mayCreate, &owner) != nil {
		return err
	}

	quoted := pgx.Identifier{role}.Sanitize()
	switch {
	case owner != role:
		return fmt.Errorf("%w; the tables belong to the role %s: migrate as that role, not as %s", err, owner, role)
	case !mayCreate:
		return fmt.Errorf("%w; the role %s may not create tables in the schema public of the database %s: as a superuser, in that database, run: "+
			"grant usage, create on schema public to %s; (docs/install.md makes role and database)", err, role, database, quoted)
	}

	return err
}
