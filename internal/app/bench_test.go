package app_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/telemetry"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/barecopy"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// benchData is the payload of every event: 160 bytes, like that of a page view.
const benchData = `{"host":"www.example.com","path":"/products/shoes/running","referrer":"https://www.example.com/","load_ms":123.25,"viewport":{"w":1440,"h":900},"tags":["a","b"]}`

// BenchmarkIngest measures events a second from the handler to the commit, and next to it
// the rate of a bare COPY into the same tables with the same indexes, all on one durable
// Postgres on the same machine. The metric of_copy is the ratio to the best COPY of the
// same run. There are no sockets: the cost of net/http is not in the numbers.
func BenchmarkIngest(b *testing.B) {
	database := pgtest.NewDedicated(b,
		pgtest.WithSetting("shared_buffers", "1GB"), pgtest.WithSetting("max_wal_size", "8GB"), pgtest.WithSetting("min_wal_size", "4GB"))
	service, key := benchService(b, database)
	pool := database.Pool(b)
	best := 0.0
	for _, connections := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("copy/connections=%d", connections), func(b *testing.B) {
			emptyTables(b, pool)
			best = max(best, benchCopy(b, pool, connections))
		})
	}

	for _, load := range []struct{ clients, batch int }{{256, 1}, {16, 100}} {
		b.Run(fmt.Sprintf("events=%d/clients=%d", load.batch, load.clients), func(b *testing.B) {
			emptyTables(b, pool)
			rate := benchHandler(b, service.Handler(), key, load.clients, load.batch)
			if best > 0 {
				b.ReportMetric(rate/best, "of_copy")
			}
		})
	}
}

func benchService(b *testing.B, database *pgtest.Database) (*app.Service, string) {
	b.Helper()
	ctx := context.Background()
	c := apptest.LoadConfig(b, database, nil)
	key := ""
	require.NoError(b, cli.WithAdmin(ctx, c, func(a *access.Registry) error {
		if _, err := a.CreateApplication(ctx, access.ApplicationSpec{Name: "shop"}); err != nil {
			return err
		}

		made, err := a.CreateKey(ctx, "shop", access.KeySpec{Scopes: []access.Scope{"ingest"}})
		key = made.Text
		return err
	}))
	service, err := app.Start(ctx, c, telemetry.Build{}, zap.NewNop())
	require.NoError(b, err)
	ctx, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- service.Run(ctx, nil) }()
	b.Cleanup(func() {
		stop()
		require.NoError(b, <-stopped)
	})
	return service, key
}

func emptyTables(b *testing.B, pool *pgxpool.Pool) {
	b.Helper()
	_, err := pool.Exec(context.Background(), "truncate event, event_key, session, rejection; checkpoint")
	require.NoError(b, err)
}

// generator makes the events of one client, with a realistic skew of sessions and ids like
// those of clients.
type generator struct {
	zipf *rand.Zipf
	now  time.Time
}

func newGenerator(seed int) *generator {
	source := rand.New(rand.NewPCG(1, uint64(seed)))
	return &generator{zipf: rand.NewZipf(source, 1.1, 1, 9999), now: time.Now().UTC()}
}

func (g *generator) session() (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], 0x0190163d8694739b)
	binary.BigEndian.PutUint64(id[8:], g.zipf.Uint64()*0x9e3779b97f4a7c15)
	return id
}

func (g *generator) row() barecopy.Row {
	return barecopy.Row{ID: uuid.Must(uuid.NewV7()), Session: g.session(), At: g.now, Data: []byte(benchData)}
}

func (g *generator) append(b []byte) []byte {
	id := uuid.Must(uuid.NewV7())
	return fmt.Appendf(b, `{"event_id":"%s","session_id":"%s","category":"page","name":"view","timestamp":"%s","data":%s}`,
		id, g.session(), g.now.Format("2006-01-02T15:04:05.000000Z"), benchData)
}

func (g *generator) body(events int) []byte {
	if events == 1 {
		return g.append(nil)
	}

	body := []byte{'['}
	for i := range events {
		if i > 0 {
			body = append(body, ',')
		}

		body = g.append(body)
	}

	return append(body, ']')
}

// benchHandler sends b.N events in requests of a size and returns events a second.
func benchHandler(b *testing.B, handler http.Handler, key string, clients, events int) float64 {
	b.Helper()
	requests := (b.N + events - 1) / events
	bodies := make([][]byte, requests)
	for i := range bodies {
		bodies[i] = newGenerator(i).body(events)
	}

	var next, failed atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for range clients {
		group.Go(func() {
			for n := next.Add(1) - 1; n < int64(requests); n = next.Add(1) - 1 {
				request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/v1/events", bytes.NewReader(bodies[n]))
				request.Header.Set("Authorization", "Bearer "+key)
				request.Header.Set("Content-Type", "application/json")
				recorder := httptest.NewRecorder()
				handler.ServeHTTP(recorder, request)
				if recorder.Code != http.StatusCreated {
					failed.Add(1)
				}
			}
		})
	}

	group.Wait()
	b.StopTimer()
	require.Zero(b, failed.Load(), "requests that were not stored")
	rate := float64(requests*events) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "events/s")
	return rate
}

// benchCopy copies b.N rows of event and event_key, a thousand a transaction.
func benchCopy(b *testing.B, pool *pgxpool.Pool, connections int) float64 {
	b.Helper()
	const rows = 1000
	transactions := (b.N + rows - 1) / rows
	prepared := make([]barecopy.Transaction, transactions)
	for i := range prepared {
		prepared[i] = barecopy.Render(rows, i*rows, newGenerator(i).row)
	}

	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for range connections {
		group.Go(func() {
			ctx := context.Background()
			conn, err := pool.Acquire(ctx)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Release()

			for n := next.Add(1) - 1; n < int64(transactions); n = next.Add(1) - 1 {
				if err := prepared[n].Send(ctx, conn.Conn().PgConn()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}

	group.Wait()
	b.StopTimer()
	rate := float64(transactions*rows) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "events/s")
	return rate
}
