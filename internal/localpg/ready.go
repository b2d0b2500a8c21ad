package localpg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	pingTimeout = 2 * time.Second
	// closeTimeout bounds the closing of a connection to a server that may be dying.
	closeTimeout = time.Second

	stateCannotConnectNow   = "57P03"
	stateTooManyConnections = "53300"
)

var (
	errExited   = errors.New("postgres exited while starting")
	errNotReady = errors.New("postgres was not ready in time")
)

// awaitReady returns when the postmaster answers a query, or with errExited,
// errNotReady, or the server's own error. It waits for a server that replays its log
// after a crash.
func awaitReady(ctx context.Context, p *postmaster, o Options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.StartTimeout, errNotReady)
	defer cancel()

	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()

	for {
		err := checkServer(ctx, p.at.dsn(o.User, "postgres"), o.DataDir)
		if err == nil {
			return nil
		}

		var serverErr *pgconn.PgError
		if errors.As(err, &serverErr) && serverErr.Code != stateCannotConnectNow {
			return err
		}

		select {
		case <-p.done:
			return errExited
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}

// checkServer checks the server's data directory, so that another server on the same
// socket is not mistaken for this one.
func checkServer(ctx context.Context, dsn, dataDir string) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()

	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		var serverErr *pgconn.PgError
		if errors.As(err, &serverErr) && serverErr.Code == stateTooManyConnections {
			return nil // only a running server has too many connections
		}

		return fmt.Errorf("connecting to postgres: %w", err)
	}
	defer closeConn(ctx, conn)

	var served string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&served); err != nil {
		return fmt.Errorf("reading the data directory: %w", err)
	}

	if served != dataDir {
		return fmt.Errorf("the server on this socket serves %s", served)
	}

	return nil
}
