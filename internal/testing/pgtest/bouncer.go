package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// BouncerMode is the behaviour of a stand-in for PgBouncer.
type BouncerMode int

// The modes. The error messages are those of PgBouncer 1.18.
const (
	// BouncerRejectsParameters ends connections with startup parameters.
	BouncerRejectsParameters BouncerMode = iota
	// BouncerIgnoresParameters ignores these parameters (ignore_startup_parameters).
	BouncerIgnoresParameters
	// BouncerInStatementMode ends connections that begin a transaction.
	BouncerInStatementMode
)

// BouncerDSN starts a stand-in for PgBouncer in front of a test's database until the test
// ends, and returns the URL of the database through it. It does not pool: each connection
// has its own connection to the server. Only its rejections are those of PgBouncer.
func (d *Database) BouncerDSN(t testing.TB, mode BouncerMode) string {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}

	server := mustParse(d.DSN())
	socket := filepath.Join(server.Query().Get("host"), ".s.PGSQL."+server.Query().Get("port"))
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // the test ended
			}

			clients.Go(func() { serveClient(ctx, client, socket, mode) })
		}
	})
	t.Cleanup(func() {
		stop()
		listener.Close() //nolint:errcheck // nothing is pending on it
		clients.Wait()
	})
	server.Host = listener.Addr().String()
	server.RawQuery = url.Values{"sslmode": {"disable"}}.Encode()
	return server.String()
}

// serveClient serves one client until it leaves or is rejected.
func serveClient(ctx context.Context, client net.Conn, socket string, mode BouncerMode) {
	defer client.Close()                                      //nolint:errcheck // nothing is pending on it
	defer context.AfterFunc(ctx, func() { client.Close() })() //nolint:errcheck // as above

	backend := pgproto3.NewBackend(client, client)
	first, err := backend.ReceiveStartupMessage()
	if err != nil {
		return
	}

	startup, ok := first.(*pgproto3.StartupMessage)
	if !ok {
		return // a cancel request, which no test needs
	}

	for name := range startup.Parameters {
		if !strings.HasSuffix(name, "_timeout") {
			continue
		}

		if mode != BouncerIgnoresParameters {
			rejectClient(backend, "unsupported startup parameter: "+name)
			return
		}

		delete(startup.Parameters, name)
	}

	var dial net.Dialer
	server, err := dial.DialContext(ctx, "unix", socket)
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // nothing is pending on it

	frontend := pgproto3.NewFrontend(server, server)
	frontend.Send(startup)
	if frontend.Flush() != nil {
		return
	}

	var answers sync.WaitGroup
	answers.Go(func() {
		io.Copy(client, server) //nolint:errcheck // either of them is gone
		client.Close()          //nolint:errcheck // as above
	})
	if err := forwardMessages(backend, frontend, mode); errors.Is(err, errTransaction) {
		rejectClient(backend, err.Error())
	}

	server.Close() //nolint:errcheck // as above
	answers.Wait()
}

var errTransaction = errors.New("transaction blocks not allowed in statement pooling mode")

// forwardMessages forwards the messages of a client.
func forwardMessages(backend *pgproto3.Backend, frontend *pgproto3.Frontend, mode BouncerMode) error {
	for {
		message, err := backend.Receive()
		if err != nil {
			return fmt.Errorf("receive from the client: %w", err)
		}

		if query, ok := message.(*pgproto3.Query); ok && mode == BouncerInStatementMode && strings.HasPrefix(strings.ToLower(query.String), "begin") {
			return errTransaction
		}

		frontend.Send(message)
		if err := frontend.Flush(); err != nil {
			return fmt.Errorf("send to the server: %w", err)
		}
	}
}

func rejectClient(backend *pgproto3.Backend, message string) {
	backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "08P01", Message: message})
	backend.Flush() //nolint:errcheck // the connection ends anyway
}
