package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
)

const (
	defaultStopTimeout = 60 * time.Second
	quitTimeout        = 5 * time.Second
	orphanRetryDelay   = 200 * time.Millisecond
)

var (
	errRunning = errors.New("postgres is running")
	// errOrphans means that backends survived a killed postmaster.
	errOrphans = errors.New("processes of a killed postgres still exist")
)

// Server is a private Postgres on one data directory. All methods are safe for
// concurrent use; those that change its state exclude each other.
type Server struct {
	options Options
	account account
	bin     binaries

	// current never goes back to nil; a stopped run stays here until Restart.
	current atomic.Pointer[postmaster]

	mu     sync.Mutex
	lock   *os.File // held from Start or Restart until Stop
	frozen []int    // the children stopped by Freeze
}

// Start runs Postgres on Options.DataDir and returns when it answers queries. It
// creates the cluster if there is none, adopts a postmaster that a killed owner
// left running there, and waits for crash recovery up to Options.StartTimeout.
// ctx bounds the start only, not the server's life. Errors are ErrInUse when another
// live process owns the directory, ErrNotFound and ErrTooOld as in FindBinaries, and
// otherwise a description with the last lines of the server's log.
func Start(ctx context.Context, o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}

	if o.DataDir, err = canonicalDataDir(o.DataDir); err != nil {
		return nil, err
	}

	s := &Server{options: o}
	if s.account, err = chooseAccount(o.DataDir); err != nil {
		return nil, err
	}

	if err := s.account.checkReach(filepath.Dir(o.DataDir)); err != nil {
		return nil, err
	}

	if s.bin, err = systemFinder().findBinaries(ctx, o, s.account); err != nil {
		return nil, err
	}

	if err := s.Restart(ctx); err != nil {
		return nil, err
	}

	return s, nil
}

// Restart starts the server again on the same data directory after Stop, Kill or
// its own end; a running server is an error. It waits and fails like Start. Done and
// PID refer to the new run from then on.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	if p := s.current.Load(); p != nil && !p.hasExited() {
		return fmt.Errorf("starting on %s: %w", s.options.DataDir, errRunning)
	}

	if err := s.takeLock(); err != nil {
		return err
	}

	if err := ensureCluster(ctx, s.options, s.bin, s.account); err != nil {
		return errors.Join(err, s.releaseLock())
	}

	p, err := s.startOrAdopt(ctx)
	if err != nil {
		return errors.Join(err, s.releaseLock())
	}

	s.frozen = nil
	s.current.Store(p)
	return nil
}

// startOrAdopt retries while processes orphaned by a killed postmaster still hold
// its shared memory: they exit by themselves as soon as they notice.
func (s *Server) startOrAdopt(ctx context.Context) (*postmaster, error) {
	deadline := time.NewTimer(s.options.StartTimeout)
	defer deadline.Stop()

	for {
		p, err := s.startOnce(ctx)
		if !errors.Is(err, errOrphans) {
			return p, err
		}

		select {
		case <-ctx.Done():
			return nil, err
		case <-deadline.C:
			return nil, err
		case <-time.After(orphanRetryDelay):
		}
	}
}

func (s *Server) startOnce(ctx context.Context) (*postmaster, error) {
	pid, at, err := findRunning(s.options.DataDir)
	if err != nil {
		return nil, err
	}

	if pid != 0 {
		return s.adoptRunning(ctx, pid, at)
	}

	p, err := s.launchPostmaster(ctx)
	if err != nil {
		return nil, err
	}

	if err := awaitReady(ctx, p, s.options); err != nil {
		tail := logTail(s.options.DataDir, p.logOffset)
		if strings.Contains(tail, "is still in use") {
			err = errOrphans
		}

		return nil, errors.Join(fmt.Errorf("starting postgres on %s: %w\n%s", s.options.DataDir, err, tail), s.abandonStart(ctx, p))
	}

	s.options.Logger.Info("postgres started", zap.Int("pid", p.process.Pid), zap.String("data_dir", s.options.DataDir))
	return p, nil
}

func (s *Server) adoptRunning(ctx context.Context, pid int, at address) (*postmaster, error) {
	p, err := adoptPostmaster(pid, at)
	if err != nil {
		return nil, err
	}

	err = awaitReady(ctx, p, s.options)
	if errors.Is(err, errExited) {
		return s.startOnce(ctx) // it was just ending
	}

	if err != nil {
		return nil, fmt.Errorf("adopting postmaster %d on %s, which `kill -INT %d` would stop: %w",
			pid, s.options.DataDir, pid, err)
	}

	s.options.Logger.Info("adopted a running postgres", zap.Int("pid", pid), zap.String("data_dir", s.options.DataDir))
	return p, nil
}

func (s *Server) launchPostmaster(ctx context.Context) (*postmaster, error) {
	at := address{dir: socketDirFor(s.options.DataDir), port: socketPort}
	if err := makeSocketDir(at.dir, s.account); err != nil {
		return nil, err
	}

	clearSocket(at.dir)
	log, offset, err := openLog(s.options.DataDir, s.account)
	if err != nil {
		return nil, err
	}

	defer func() { _ = log.Close() }() // the child has its own copy

	compression := "on"
	if s.options.Durable {
		compression = walCompression(ctx, s.options.DataDir, s.bin, s.account)
	}

	// The server outlives the context that bounds its start.
	cmd := exec.CommandContext(context.WithoutCancel(ctx),
		filepath.Join(s.bin.dir, "postgres"), s.options.serverArgs(at.dir, compression)...)
	cmd.Stdout = log
	cmd.Stderr = log
	s.account.prepareCommand(cmd)
	p, err := startPostmaster(cmd, at, s.options.DieWithParent)
	if err != nil {
		return nil, err
	}

	p.logOffset = offset
	return p, nil
}

// abandonStart ends a postmaster that did not become ready, even when ctx, which
// bounded the start, is the reason.
func (s *Server) abandonStart(ctx context.Context, p *postmaster) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), quitTimeout)
	defer cancel()

	return s.shutDown(ctx, p)
}

// DSN returns a connection URL for a database of this server, over its socket, as
// the superuser.
func (s *Server) DSN(database string) string {
	return s.current.Load().at.dsn(s.options.User, database)
}

// DataDir returns the data directory, absolute and without symbolic links.
func (s *Server) DataDir() string { return s.options.DataDir }

// PID returns the process id of the current run's postmaster, or of the last.
func (s *Server) PID() int { return s.current.Load().process.Pid }

// Done is closed when the current run's postmaster has ended, whether it was
// stopped or died. After Restart, call it again.
func (s *Server) Done() <-chan struct{} { return s.current.Load().done }

// Stop shuts the server down: sessions are ended, data is flushed, and the data
// directory is free for another process. When ctx ends first, or after 60 s, the
// server quits at once and an error says so; no committed data is lost, but the next
// start has to recover. A server that does not run is not an error. It works on a
// frozen server too.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()

	p := s.current.Load()
	if s.lock == nil {
		return nil
	}

	err := errors.Join(s.thawLocked(), s.shutDown(ctx, p))
	if p.hasExited() {
		clearSocket(p.at.dir)
		_ = os.Remove(socketDirFor(s.options.DataDir)) // an adopted one may use another
		s.options.Logger.Info("postgres stopped", zap.Int("pid", p.process.Pid))
	}

	return errors.Join(err, s.releaseLock())
}

func (s *Server) shutDown(ctx context.Context, p *postmaster) error {
	if p.hasExited() {
		return nil
	}

	ctx, cancel := context.WithTimeout(ctx, defaultStopTimeout)
	defer cancel()

	if err := p.signalUnlessGone(syscall.SIGINT); err != nil {
		return err
	}

	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}

	err := fmt.Errorf("shutting postgres down cleanly: %w", ctx.Err())
	if quitErr := p.signalUnlessGone(syscall.SIGQUIT); quitErr != nil {
		return errors.Join(err, quitErr)
	}

	quit := time.NewTimer(quitTimeout)
	defer quit.Stop()

	select {
	case <-p.done:
		return err
	case <-quit.C:
		return errors.Join(err, killAll(p))
	}
}

func (s *Server) takeLock() error {
	if s.lock != nil {
		return nil
	}

	lock, err := lockDataDir(s.options.DataDir, s.account)
	if err != nil {
		return err
	}

	s.lock = lock
	return nil
}

func (s *Server) releaseLock() error {
	if s.lock == nil {
		return nil
	}

	err := unlockFile(s.lock)
	s.lock = nil
	if err != nil {
		return fmt.Errorf("releasing lock: %w", err)
	}

	return nil
}
