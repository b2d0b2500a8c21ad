package limits

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/localpg"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

const (
	databaseName = "theeye"
	// stopPatience is how long a process may take to end before it is killed.
	stopPatience = 30 * time.Second
	dirMode      = 0o755
)

// testbed is a private Postgres with the service's schema, and the measured processes.
type testbed struct {
	options   Options
	dir       string
	database  *localpg.Server
	pool      *pgxpool.Pool
	settings  config.Config
	ingestKey string // both are keys of the application
	readKey   string
}

// openTestbed starts a durable Postgres in a folder of its own.
func openTestbed(ctx context.Context, o Options) (s *testbed, err error) {
	s = &testbed{options: o}
	defer func() { //nolint:contextcheck // stops the processes even when ctx has ended
		if err != nil {
			err = errors.Join(err, s.close())
			s = nil
		}
	}()

	if s.dir, err = os.MkdirTemp(o.Dir, "theeye-limits-"); err != nil {
		return s, fmt.Errorf("make a folder: %w", err)
	}

	if err = os.Chmod(s.dir, dirMode); err != nil { // started by root, the server runs under another account
		return s, fmt.Errorf("open the folder: %w", err)
	}

	s.database, err = localpg.Start(ctx, localpg.Options{
		DataDir:       filepath.Join(s.dir, "postgres"),
		Durable:       true,
		DieWithParent: true,
		Settings:      map[string]string{"shared_buffers": "4GB", "max_wal_size": "8GB", "min_wal_size": "4GB", "jit": "off"},
	})
	if err != nil {
		return s, fmt.Errorf("start a private Postgres: %w", err)
	}

	if err = s.createDatabase(ctx); err != nil {
		return s, err
	}

	dsn := s.database.DSN(databaseName)
	if err = postgres.Migrate(ctx, dsn); err != nil {
		return s, err
	}

	if s.pool, err = pgxpool.New(ctx, dsn); err != nil {
		return s, fmt.Errorf("connect: %w", err)
	}

	if err = s.recycleLog(ctx); err != nil {
		return s, err
	}

	return s, s.createKeys(ctx, dsn)
}

func (s *testbed) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.database.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is pending

	if _, err := conn.Exec(ctx, "create database "+databaseName); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}

	return nil
}

// recycleLog fills the write-ahead log once, so that loads write to existing files, as on a
// server that has run for a while, and the creation of files is not measured.
func (s *testbed) recycleLog(ctx context.Context) error {
	for range s.options.LogFiles {
		if _, err := s.pool.Exec(ctx, "select pg_switch_wal() from pg_logical_emit_message(false, 'theeye', 'x')"); err != nil {
			return fmt.Errorf("fill the log: %w", err)
		}
	}

	return nil
}

func (s *testbed) createKeys(ctx context.Context, dsn string) (err error) {
	if s.settings, err = config.Load(config.Sources{Flags: map[string]string{"database.url": dsn}}); err != nil {
		return err
	}

	return cli.WithAdmin(ctx, s.settings, func(a *access.Registry) error {
		if _, err := a.CreateApplication(ctx, access.ApplicationSpec{Name: "shop"}); err != nil {
			return err
		}

		for key, scope := range map[*string]access.Scope{&s.ingestKey: "ingest", &s.readKey: "read"} {
			made, err := a.CreateKey(ctx, "shop", access.KeySpec{Scopes: []access.Scope{scope}, OrganisationWide: scope == "read"})
			if err != nil {
				return err
			}

			*key = made.Text
		}

		return nil
	})
}

// printProgress prints the progress for the user.
func (s *testbed) printProgress(format string, args ...any) {
	fmt.Fprintf(s.options.Progress, format+"\n", args...) //nolint:errcheck // progress for a person
}

// truncateTables deletes all events and writes a checkpoint, so that the disk comes to rest.
func (s *testbed) truncateTables(ctx context.Context) error {
	for _, statement := range []string{"truncate event, event_key, session, rejection", "checkpoint"} {
		if _, err := s.pool.Exec(ctx, statement); err != nil {
			return fmt.Errorf("truncate the tables: %w", err)
		}
	}

	return nil
}

// walPosition returns the position of the write-ahead log, in bytes.
func (s *testbed) walPosition(ctx context.Context) (at int64, err error) {
	if err := s.pool.QueryRow(ctx, "select (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&at); err != nil {
		return 0, fmt.Errorf("read the log's position: %w", err)
	}

	return at, nil
}

// nextTransactionID returns the id of the next transaction that writes.
func (s *testbed) nextTransactionID(ctx context.Context) (n int64, err error) {
	if err := s.pool.QueryRow(ctx, "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint").Scan(&n); err != nil {
		return 0, fmt.Errorf("count the transactions: %w", err)
	}

	return n, nil
}

func (s *testbed) close() error {
	if s.pool != nil {
		s.pool.Close()
	}

	var err error
	if s.database != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()

		err = s.database.Stop(ctx)
	}

	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}

	return err
}

// process is a measured server.
type process struct {
	Target

	// ops is the address of the service's ops port.
	ops     string
	command *exec.Cmd
}

// startService starts the service with its default settings and additional variables in the
// environment.
func (s *testbed) startService(ctx context.Context, environ ...string) (*process, error) {
	address := freeAddress()
	ops := freeAddress()
	arguments := []string{"serve", "--http-listen", address, "--ops-listen", ops, "--drain-delay", "0s", "--log-level", "warn"}
	if s.options.Profiles != "" {
		arguments = append(arguments, "--ops-pprof", "on")
	}

	p, err := s.startProcess(ctx, environ, address, s.options.Service, arguments...)
	if err != nil {
		return nil, err
	}

	p.Key = s.ingestKey
	p.ops = ops

	return p, p.awaitStatus(ctx, "http://"+ops+"/readyz", http.StatusOK)
}

// startBaseline starts the server without a store.
func (s *testbed) startBaseline(ctx context.Context) (*process, error) {
	address := freeAddress()
	command := s.options.Baseline(address)
	p, err := s.startProcess(ctx, nil, address, command[0], command[1:]...)
	if err != nil {
		return nil, err
	}

	p.Key = s.ingestKey

	return p, p.awaitStatus(ctx, "http://"+address+"/", http.StatusNotFound)
}

func (s *testbed) startProcess(ctx context.Context, environ []string, address, program string, arguments ...string) (*process, error) {
	command := exec.CommandContext(ctx, program, arguments...) //nolint:gosec // the caller names the program
	command.Env = slices.Concat(s.options.Environ, []string{"THEEYE_DATABASE_URL=" + s.settings.Database.URL.Reveal()}, environ)
	command.Stderr = s.options.Errors
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = stopPatience
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}

	return &process{Target: Target{Address: address}, command: command}, nil
}

// awaitStatus waits until the process answers with a status.
func (p *process) awaitStatus(ctx context.Context, url string, status int) error {
	const pause, patience = 20 * time.Millisecond, 30 * time.Second

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	ticker := time.NewTicker(pause)
	defer ticker.Stop()

	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("check readiness: %w", err)
		}

		if response, err := http.DefaultClient.Do(request); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close() //nolint:errcheck // the body was read
			if response.StatusCode == status {
				return nil
			}
		}

		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not become ready: %w", p.command.Path, ctx.Err()), p.stop())
		}
	}
}

func (p *process) pid() int { return p.command.Process.Pid }

// stop ends the process as an operator would.
func (p *process) stop() error {
	if err := p.command.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("stop process %d: %w", p.pid(), err)
	}

	kill := time.AfterFunc(stopPatience, func() { _ = p.command.Process.Kill() })
	defer kill.Stop()

	if err := p.command.Wait(); err != nil {
		return fmt.Errorf("process %d: %w", p.pid(), err)
	}

	return nil
}

// freeAddress returns an address of this machine with a free port.
func freeAddress() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return "127.0.0.1:" + strconv.Itoa(8080) // if that is in use, the server reports it
	}
	defer listener.Close() //nolint:errcheck // nothing is pending

	return listener.Addr().String()
}
