package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

const (
	databaseName = "theeye"
	dirMode      = 0o755
)

// testbed is a private Postgres, with or without a standby, and the services that reach it
// through proxies.
type testbed struct {
	Options
	Deps

	dir string
	// server is the primary.
	server *localpg.Server
	disk   *disk // nil when it could not be mounted
	pair   *pair // nil when there is one server only
	// proxies has one proxy from each service to each server: with a pair, the first two are
	// those of the first service.
	proxies   []*proxy
	instances []*instance
	keys      keys
	// applicationIDs are the ids of the applications in the tables.
	applicationIDs [applications]int32
	// steppableProgram is the program whose clock can be stepped, steppedInstance the service
	// that runs it, and clockSteps the steps that are left. clockUnavailable is the reason if
	// there is none.
	steppableProgram string
	steppedInstance  *instance
	clockSteps       []clockStep
	clockUnavailable string
	// random decides the targets of the faults.
	random *rand.Rand
	// generator sends the events; faults may use it.
	generator *loadGenerator
}

// openTestbed starts Postgres, with a standby if paired, and services with these names.
func openTestbed(ctx context.Context, o Options, d Deps, paired bool, services ...string) (s *testbed, err error) {
	s = &testbed{
		Options: o,
		Deps:    d,
		random:  rand.New(rand.NewPCG(o.Seed, 1)), //nolint:gosec // has to be reproducible
	}

	defer func() { //nolint:contextcheck // stops the processes even when ctx has ended
		if err != nil {
			err = errors.Join(err, s.close())
			s = nil
		}
	}()

	if s.dir, err = os.MkdirTemp("", "theeye-chaos-"); err != nil {
		return s, fmt.Errorf("make a folder: %w", err)
	}

	if err = os.Chmod(s.dir, dirMode); err != nil {
		return s, fmt.Errorf("open the folder: %w", err)
	}

	if len(services) > 1 && !paired {
		if err = s.prepareClock(ctx); err != nil {
			return s, err
		}
	}

	s.server, err = localpg.Start(ctx, localpg.Options{
		DataDir:       filepath.Join(s.dir, "postgres"),
		Durable:       true,
		DieWithParent: true,
		Settings:      map[string]string{"max_connections": "60", "shared_buffers": "128MB", "jit": "off", "deadlock_timeout": "200ms"},
	})
	if err != nil {
		return s, fmt.Errorf("start a private Postgres: %w", err)
	}

	if err = s.setUpDatabase(ctx); err != nil {
		return s, err
	}

	if paired {
		s.pair = &pair{}
		if err = s.ensureStandby(ctx); err != nil {
			return s, err
		}
	}

	for _, name := range services {
		if err = s.addInstance(ctx, name); err != nil {
			return s, err
		}
	}

	return s, nil
}

// setUpDatabase creates the database, its schema, the applications and the keys.
func (s *testbed) setUpDatabase(ctx context.Context) error {
	admin, err := pgx.Connect(ctx, s.server.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer admin.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is pending

	if _, err := admin.Exec(ctx, "create database "+databaseName); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}

	dsn := s.server.DSN(databaseName)
	if _, err := s.runTheEye(ctx, dsn, "migrate", "up"); err != nil {
		return err
	}

	for n := range applications {
		name := applicationName(n)
		if _, err := s.runTheEye(ctx, dsn, "app", "create", name); err != nil {
			return err
		}

		if s.keys.ingest[n], err = s.runTheEye(ctx, dsn, "key", "create", name, "--scope", "ingest"); err != nil {
			return err
		}

		if s.applicationIDs[n], err = s.applicationID(ctx, name); err != nil {
			return err
		}
	}

	if s.keys.admin, err = s.runTheEye(ctx, dsn, "key", "create", applicationName(0), "--scope", "admin"); err != nil {
		return err
	}

	s.keys.read, err = s.runTheEye(ctx, dsn, "key", "create", applicationName(0), "--scope", "read", "--organisation-wide")

	return err
}

// applicationID returns the id of an application in the tables.
func (s *testbed) applicationID(ctx context.Context, name string) (n int32, err error) {
	conn, err := pgx.Connect(ctx, s.server.DSN(databaseName))
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is pending

	if err := conn.QueryRow(ctx, "select application_id from application where name = $1", name).Scan(&n); err != nil {
		return 0, fmt.Errorf("find the application %s: %w", name, err)
	}

	return n, nil
}

// mountSmallDisk moves the ledger to a small disk of its own, where that is possible.
func (s *testbed) mountSmallDisk(ctx context.Context) {
	if err := s.moveLedgerToDisk(ctx); err != nil {
		s.disk = nil
		s.printProgress("the fault \"disk full\" is left out: %v", err)
	}
}

func (s *testbed) moveLedgerToDisk(ctx context.Context) (err error) {
	if s.disk, err = newDisk(filepath.Join(s.dir, "small"), s.server.DataDir()); err != nil {
		return err
	}

	// A tablespace cannot be created inside a transaction.
	for _, statement := range []string{
		"create tablespace small location '" + s.disk.dir + "'",
		"alter table event_key set tablespace small",
		"alter index event_key_pkey set tablespace small",
	} {
		if err := s.execStatement(ctx, statement); err != nil {
			return errors.Join(err, s.disk.unmount())
		}
	}

	return nil
}

// runTheEye runs the program to its end, as an operator does, without a proxy.
func (s *testbed) runTheEye(ctx context.Context, dsn string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, s.Service, arguments...) //nolint:gosec // the caller names the program
	command.Env = slices.Concat(s.Environ, []string{"THEEYE_DATABASE_URL=" + dsn})
	var errOut strings.Builder
	command.Stderr = &errOut
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("run %s %s: %w: %s", s.Service, strings.Join(arguments, " "), err, errOut.String())
	}

	return strings.TrimSpace(string(out)), nil
}

// addInstance starts a service and its proxies.
func (s *testbed) addInstance(ctx context.Context, name string) (err error) {
	servers := []*localpg.Server{s.server}
	if s.pair != nil {
		servers = append(servers, s.pair.standby)
	}

	var hosts []string
	for _, server := range servers {
		w, err := newProxy(ctx, socketPath(server))
		if err != nil {
			return err
		}

		s.proxies = append(s.proxies, w)
		hosts = append(hosts, w.address())
	}

	i := &instance{name: name, program: s.Service}
	if i.address, err = freeAddress(ctx); err != nil {
		return err
	}

	if i.ops, err = freeAddress(ctx); err != nil {
		return err
	}

	dsn := fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable&target_session_attrs=read-write", superuserOf(s.server), strings.Join(hosts, ","), databaseName)
	i.environ = slices.Concat(s.Environ, []string{"THEEYE_DATABASE_URL=" + dsn})
	if err = s.attachClock(i); err != nil {
		return err
	}

	if i.log, err = os.Create(filepath.Join(s.Dir, "service-"+s.filePrefix()+name+".log")); err != nil { //nolint:gosec // the caller names the folder
		return fmt.Errorf("make a log: %w", err)
	}

	s.instances = append(s.instances, i)

	return i.start(ctx)
}

// filePrefix distinguishes the files of a testbed with a pair from those of another.
func (s *testbed) filePrefix() string {
	if s.pair != nil {
		return "pair-"
	}

	return ""
}

// socketPath returns the path of the socket of a server.
func socketPath(server *localpg.Server) string {
	config := connConfigOf(server)
	return filepath.Join(config.Host, fmt.Sprintf(".s.PGSQL.%d", config.Port))
}

// superuserOf returns the superuser of a server.
func superuserOf(server *localpg.Server) string { return connConfigOf(server).User }

func connConfigOf(server *localpg.Server) *pgx.ConnConfig {
	config, err := pgx.ParseConfig(server.DSN(databaseName))
	if err != nil { // localpg made it
		panic(err)
	}

	return config
}

// execStatement executes a statement on a connection of its own, without a proxy.
func (s *testbed) execStatement(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.server.DSN(databaseName))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is pending

	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("execute %q: %w", statement, err)
	}

	return nil
}

// openPool connects to the database without a proxy.
func (s *testbed) openPool(ctx context.Context) (*pgxpool.Pool, error) {
	pool, err := pgxpool.New(ctx, s.server.DSN(databaseName))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}

	return pool, nil
}

// close stops everything, and deletes all but the reports.
func (s *testbed) close() error {
	var err error
	for _, i := range s.instances {
		if i.isRunning() {
			err = errors.Join(err, i.stop())
		}

		err = errors.Join(err, i.log.Close())
		if i.clock != nil {
			err = errors.Join(err, i.clock.close())
		}
	}

	for _, w := range s.proxies {
		err = errors.Join(err, w.close())
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	if s.pair != nil {
		err = errors.Join(err, s.pair.close(ctx))
	}

	if s.server != nil {
		err = errors.Join(err, s.server.Stop(ctx))
	}

	if s.disk != nil {
		err = errors.Join(err, s.disk.unmount())
	}

	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}

	return err
}
