package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// faultProxy is a proxy between a pool and Postgres. It can cut the connection of the next commit
// before the acknowledgement arrives, and that of the next write of events before the server has
// received them.
type faultProxy struct {
	listener net.Listener
	server   string
	group    sync.WaitGroup
	// cuts is the number of commits to cut off.
	cuts atomic.Int32
	// losses is the number of writes of events to lose.
	losses atomic.Int32
}

// newFaultProxy returns a proxy and the URL of the database behind it.
func newFaultProxy(t *testing.T, database *pgtest.Database) (w *faultProxy, url string) {
	t.Helper()
	behind, err := pgx.ParseConfig(database.DSN())
	require.NoError(t, err)
	var listen net.ListenConfig
	listener, err := listen.Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w = &faultProxy{listener: listener, server: filepath.Join(behind.Host, ".s.PGSQL."+strconv.Itoa(int(behind.Port)))}
	w.group.Go(w.accept)
	t.Cleanup(func() {
		_ = listener.Close() // ends accept
		w.group.Wait()
	})
	return w, fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", behind.User, listener.Addr(), behind.Database)
}

func (w *faultProxy) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}

		var dial net.Dialer
		server, err := dial.DialContext(context.Background(), "unix", w.server)
		if err != nil {
			_ = client.Close() // as the server would
			continue
		}

		w.group.Go(func() {
			w.forwardRequests(server, client) // until either end closes
			_ = server.Close()
		})
		w.group.Go(func() {
			w.forwardResponses(client, server)
			_ = client.Close()
			_ = server.Close()
		})
	}
}

func (w *faultProxy) forwardRequests(server io.Writer, client io.Reader) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if bytes.Contains(buffer[:n], []byte("copy event ")) && w.losses.Add(-1) >= 0 {
			return
		}

		if _, failed := server.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

func (w *faultProxy) forwardResponses(client io.Writer, server io.Reader) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if bytes.Contains(buffer[:n], []byte("COMMIT\x00")) && w.cuts.Add(-1) >= 0 {
			return
		}

		if _, failed := client.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

// The connection breaks when the transaction has committed and before the client is informed:
// the verdicts are found by the ids, rejections are recorded once, and the sender notices
// nothing.
func TestCommitWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	for _, cuts := range []int32{1, 2} {
		b, oracle := newBundle(t), apptest.NewOracle()
		w, url := newFaultProxy(t, b.database)
		b.db = openDB(t, url)
		b.store = newStore(b.db, keepAll())
		c := collector(t, b.store, 1)
		session, noon := uuid.New(), time.Now().Add(-time.Hour)
		known := envelope(session, noon)
		send(t, oracle, c, request(shop, known))
		conflicting := known
		conflicting.Event.Name = "other"
		rejected := event.Envelope{Raw: []byte(`{`), Violations: []fault.Violation{{Code: fault.CodeInvalidJSON, Detail: "broken"}}}

		w.cuts.Store(cuts)
		fast := send(t, oracle, c, request(shop, envelope(session, noon), rejected, envelope(session, noon)))
		require.Equal(t, []ingest.Status{ingest.Stored, ingest.Rejected, ingest.Stored}, statuses(fast))
		w.cuts.Store(cuts)
		careful := send(t, oracle, c, request(shop, envelope(session, noon), known, conflicting, rejected))
		require.Equal(t, []ingest.Status{ingest.Stored, ingest.Duplicate, ingest.Conflict, ingest.Rejected}, statuses(careful))
		w.cuts.Store(cuts)
		alone := send(t, oracle, c, request(shop, rejected))
		require.Equal(t, []ingest.Status{ingest.Rejected}, statuses(alone))
		w.cuts.Store(cuts)
		conflictAlone := send(t, oracle, c, request(shop, conflicting))
		require.Equal(t, []ingest.Status{ingest.Conflict}, statuses(conflictAlone))

		requireConsistent(t, b, oracle)
		requireGapless(t, b)
		require.Equal(t, 5, count(t, b, "rejection"))
		for _, v := range []ingest.Verdict{fast[1], careful[2], careful[3], alone[0], conflictAlone[0]} {
			var found bool
			require.NoError(t, b.database.Pool(t).QueryRow(context.Background(),
				"select exists (select from rejection where rejection_id = $1)", v.ErrorID).Scan(&found))
			require.True(t, found)
		}
	}
}
