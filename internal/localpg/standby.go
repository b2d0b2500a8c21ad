package localpg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

const promoteTimeout = 30 * time.Second

// StartStandby copies the running server into dataDir, which must not exist yet, and
// starts a standby there that follows it by streaming replication and answers reads.
// It has the options and settings of its primary. It is an ordinary Server:
// Freeze, Thaw, Kill, Restart and Stop work as on the primary, and Promote ends its
// recovery.
//
// Replication is asynchronous until AwaitStandby makes it synchronous. A replication slot makes the
// primary keep the log that the standby has not received, for as long as both exist. Stop
// the standby before its primary, because a clean shutdown waits until the standby has
// received everything. The copy is not flushed to disk, so a crash of the machine may
// corrupt it.
// A server with tablespaces is an error.
func (s *Server) StartStandby(ctx context.Context, dataDir string) (*Server, error) {
	o := s.options
	o.Settings = maps.Clone(o.Settings)
	o.DataDir = dataDir
	var err error
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}

	if o.DataDir, err = canonicalDataDir(o.DataDir); err != nil {
		return nil, err
	}

	if _, err := os.Lstat(o.DataDir); err == nil {
		return nil, fmt.Errorf("making a standby: %s exists already", o.DataDir)
	}

	if err := s.makeStandby(ctx, o.DataDir); err != nil {
		return nil, fmt.Errorf("making a standby of %s: %w", s.options.DataDir, err)
	}

	return Start(ctx, o)
}

// makeStandby creates the data directory in a sibling and renames it into place, so that
// it is either absent or complete.
func (s *Server) makeStandby(ctx context.Context, dataDir string) error {
	half, err := os.MkdirTemp(filepath.Dir(dataDir), filepath.Base(dataDir)+".init-*")
	if err != nil {
		return err //nolint:wrapcheck // it names the folder
	}

	err = s.fillStandby(ctx, half, replicationSlotName(dataDir))
	if err == nil {
		err = s.account.chownTree(half)
	}

	if err == nil {
		err = os.Rename(half, dataDir)
	}

	if err != nil {
		return errors.Join(err, os.RemoveAll(half))
	}

	return nil
}

// fillStandby copies the primary and configures the copy to follow it. The slot is created
// first, so that nothing is missing between the copy and the stream.
func (s *Server) fillStandby(ctx context.Context, dir, slot string) error {
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("connecting to the primary: %w", err)
	}
	defer closeConn(ctx, conn)

	if _, err := conn.Exec(ctx, "select pg_create_physical_replication_slot($1, true)", slot); err != nil {
		return fmt.Errorf("making a replication slot: %w", err)
	}

	if err := s.copyCluster(ctx, conn, dir); err != nil {
		return err
	}

	at := s.current.Load().at
	// The file replaces the primary's, whose ALTER SYSTEM settings do not apply to the standby.
	settings := fmt.Sprintf("primary_conninfo = 'host=%s port=%s user=%s'\nprimary_slot_name = '%s'\nwal_retrieve_retry_interval = '100ms'\n",
		at.dir, at.port, s.options.User, slot)
	for name, content := range map[string]string{"postgresql.auto.conf": settings, "standby.signal": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), privateFileMode); err != nil {
			return err //nolint:wrapcheck // it names the file
		}
	}

	return nil
}

// Promote promotes a standby, and returns when it accepts writes. It does not check
// whether the primary is gone. A frozen standby must be thawed first. A server that is
// not a standby is an error.
func (s *Server) Promote(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, promoteTimeout)
	defer cancel()

	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("promoting a standby: %w", err)
	}
	defer closeConn(ctx, conn)

	var done bool
	if err := conn.QueryRow(ctx, "select pg_promote(true, $1)", int(promoteTimeout.Seconds())).Scan(&done); err != nil {
		return fmt.Errorf("promoting a standby: %w", err)
	}

	if !done {
		return errors.New("promoting a standby: it did not end its recovery in time")
	}

	return nil
}

// AwaitStandby returns when a standby receives the server's writes. With synchronous
// replication, every commit waits from now on until a standby has flushed it, also after
// restarts; a promoted standby does not inherit that. ctx bounds the wait.
func (s *Server) AwaitStandby(ctx context.Context, synchronous bool) error {
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("waiting for a standby: %w", err)
	}
	defer closeConn(ctx, conn)

	state := "async"
	if synchronous {
		state = "sync"
		for _, statement := range []string{"alter system set synchronous_standby_names = '*'", "select pg_reload_conf()"} {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("making replication synchronous: %w", err)
			}
		}
	}

	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()

	for {
		var follows bool
		const statement = "select exists (select from pg_stat_replication where state = 'streaming' and sync_state = $1)"
		if err := conn.QueryRow(ctx, statement, state).Scan(&follows); err != nil {
			return fmt.Errorf("waiting for a standby: %w", err)
		}

		if follows {
			return nil
		}

		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for a standby: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}

// replicationSlotName names the replication slot of the standby in a data directory.
func replicationSlotName(dataDir string) string {
	sum := sha256.Sum256([]byte(dataDir))
	return "standby_" + hex.EncodeToString(sum[:socketHashSize])
}

// closeConn closes a connection to a server that may be dying.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()

	_ = conn.Close(ctx)
}
