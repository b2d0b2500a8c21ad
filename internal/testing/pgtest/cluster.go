package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

const (
	dirPattern = "theeye-pgtest-"
	template   = "pgtest_template"
	// adminConns is the number of databases that are created or dropped at a time.
	adminConns = 4
	// leftoverAge is the age from which a directory is a leftover: a running process may
	// not have locked a younger one yet.
	leftoverAge = 10 * time.Minute

	// dataName and standbyName are the data directories of a server and of its standby.
	dataName    = "data"
	standbyName = "standby"

	// server_version_num of the first Postgres with these options of CREATE DATABASE.
	firstWithStrategy = 150000
	firstWithProvider = 150000
	dirMode           = 0o755
)

// cluster is a server with a migrated template database.
type cluster struct {
	dir         string
	server      *localpg.Server
	admin       *pgxpool.Pool
	cloneClause string // the CREATE DATABASE statement's tail
	// version is server_version_num.
	version int
	count   atomic.Int64
}

// newCluster starts a server in its own directory. A durable server is for tests that
// kill it, and keeps every promise of Postgres; it is on disk, so that the cost of
// durability can be measured.
func newCluster(ctx context.Context, s settings, durable bool) (*cluster, error) {
	parent := os.TempDir()
	if !durable {
		parent = chooseParentDir()
	}

	removeLeftovers(ctx, parent)
	dir, err := os.MkdirTemp(parent, dirPattern)
	if err != nil {
		return nil, fmt.Errorf("creating a test server's directory: %w", err)
	}

	c := &cluster{dir: dir}
	if err := c.startServer(ctx, s, durable); err != nil {
		return nil, errors.Join(err, c.close(ctx))
	}

	return c, nil
}

func (c *cluster) startServer(ctx context.Context, s settings, durable bool) error {
	// As root, the server runs under another account, which must be able to enter.
	if err := os.Chmod(c.dir, dirMode); err != nil {
		return fmt.Errorf("opening a test server's directory: %w", err)
	}

	var err error
	c.server, err = localpg.Start(ctx, localpg.Options{
		DataDir:       filepath.Join(c.dir, dataName),
		BinDir:        os.Getenv(binVariable),
		Durable:       durable,
		DieWithParent: !keepsServer(),
		Settings:      s.server,
	})
	if err != nil {
		return fmt.Errorf("starting a test server: %w", err)
	}

	config, err := pgxpool.ParseConfig(c.server.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("connecting to a test server: %w", err)
	}

	config.MaxConns = adminConns
	if c.admin, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("connecting to a test server: %w", err)
	}

	return c.makeTemplate(ctx, s.migrate)
}

func (c *cluster) makeTemplate(ctx context.Context, migrate MigrateFunc) error {
	if err := c.admin.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&c.version); err != nil {
		return fmt.Errorf("reading server version: %w", err)
	}

	c.cloneClause = " TEMPLATE " + template
	if c.version >= firstWithStrategy {
		// Copying files is twice as fast here as writing the copy to the log.
		c.cloneClause += " STRATEGY file_copy"
	}

	if _, err := c.admin.Exec(ctx, "CREATE DATABASE "+template); err != nil {
		return fmt.Errorf("creating template database: %w", err)
	}

	if migrate != nil {
		if err := migrate(ctx, c.server.DSN(template)); err != nil {
			return fmt.Errorf("migrating template database: %w", err)
		}
	}

	// A connection to the template would make every clone fail.
	if _, err := c.admin.Exec(ctx, "ALTER DATABASE "+template+" ALLOW_CONNECTIONS false"); err != nil {
		return fmt.Errorf("closing template database: %w", err)
	}

	var left int
	const statement = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1"
	if err := c.admin.QueryRow(ctx, statement, template).Scan(&left); err != nil {
		return fmt.Errorf("closing template database: %w", err)
	}

	return nil
}

// createDatabase clones the template and returns the new database's name.
func (c *cluster) createDatabase(ctx context.Context, label string) (string, error) {
	return c.createDatabaseFrom(ctx, label, c.cloneClause)
}

// createDatabaseFrom runs CREATE DATABASE with the given tail.
func (c *cluster) createDatabaseFrom(ctx context.Context, label, tail string) (string, error) {
	name := fmt.Sprintf("t%d_%s", c.count.Add(1), label)
	if _, err := c.admin.Exec(ctx, "CREATE DATABASE "+quoteIdentifier(name)+tail); err != nil {
		return "", fmt.Errorf("creating database %s: %w", name, err)
	}

	return name, nil
}

// encodingClause returns the tail for a database of another encoding.
func (c *cluster) encodingClause(encoding string) string {
	tail := " TEMPLATE template0 ENCODING " + quoteIdentifier(encoding) + " LC_COLLATE 'C' LC_CTYPE 'C'"
	if c.version >= firstWithProvider {
		tail += " LOCALE_PROVIDER libc" // the server's own provider may support only UTF8
	}

	return tail
}

func (c *cluster) dropDatabase(ctx context.Context, name string) error {
	if _, err := c.admin.Exec(ctx, "DROP DATABASE "+quoteIdentifier(name)+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("dropping database %s: %w", name, err)
	}

	return nil
}

func quoteIdentifier(name string) string { return pgx.Identifier{name}.Sanitize() }

// close stops the server and deletes it; parts that were never started are skipped.
func (c *cluster) close(ctx context.Context) error {
	if c.admin != nil {
		c.admin.Close()
	}

	var err error
	if c.server != nil {
		err = c.server.Stop(ctx)
	}

	return errors.Join(err, os.RemoveAll(c.dir))
}

// removeLeftovers deletes the directories of killed test processes. It is best effort: it
// silently skips directories that it cannot delete or that are in use.
func removeLeftovers(ctx context.Context, parent string) {
	dirs, err := filepath.Glob(filepath.Join(parent, dirPattern+"*"))
	if err != nil {
		return
	}

	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < leftoverAge {
			continue
		}

		// The standby first: its primary waits for it when it is stopped.
		for _, name := range []string{standbyName, dataName} {
			if localpg.Remove(ctx, localpg.Options{DataDir: filepath.Join(dir, name)}) != nil {
				break
			}
		}

		_ = os.Remove(dir) // this does not remove a directory that is not empty
	}
}
