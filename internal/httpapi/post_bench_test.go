package httpapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// oneKey is an access.Store with one application that has one key.
type oneKey struct {
	hash [32]byte
	id   string
}

func (s oneKey) ReadVersion(context.Context) (int64, time.Time, error) { return 1, time.Time{}, nil }

func (s oneKey) ReadSnapshot(context.Context) (access.Snapshot, error) {
	return access.Snapshot{
		Version:      1,
		Applications: []access.Application{{ID: 1, Name: "shop"}},
		Keys:         []access.HashedKey{{ApplicationID: 1, Key: access.Key{ID: s.id, Scopes: []access.Scope{access.ScopeIngest}}, Hash: s.hash}},
	}, nil
}

// instantStore is an ingest.Store that stores everything at once, and keeps nothing.
type instantStore struct{}

func (instantStore) Commit(_ context.Context, group *ingest.Group) error {
	for i := range group.Items {
		item := &group.Items[i]
		*item.Verdict = ingest.Verdict{Status: ingest.Stored, EventID: item.Envelope.Event.ID, Sequence: 1}
	}

	return nil
}

func (instantStore) DryRun(context.Context, *ingest.Group) error { return nil }

// nowhere is a http.ResponseWriter that keeps only the status.
type nowhere struct {
	header http.Header
	status int
}

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) WriteHeader(status int)      { n.status = status }

// again is a request's body that can be sent again.
type again struct{ bytes.Reader }

func (*again) Close() error { return nil }

var _ io.ReadCloser = (*again)(nil)

// BenchmarkPost measures the cost of a POST inside the service without the network and the
// store.
func BenchmarkPost(b *testing.B) {
	text, id, hash, err := access.NewKey(rand.Reader, false)
	require.NoError(b, err)
	cache := access.NewCache(access.Config{}, access.Deps{Store: oneKey{hash, id}, Logger: zap.NewNop(), Now: time.Now})
	require.NoError(b, cache.Refresh(b.Context()))
	cache.Start(b.Context())
	b.Cleanup(cache.Stop)
	makeID := func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	collector := ingest.New(ingest.Config{
		Budget: 5 * time.Second, GroupEvents: 5000, GroupBytes: 16 << 20, QueueEvents: 50_000, QueueBytes: 128 << 20, Lanes: 2,
	}, ingest.Deps{Store: instantStore{}, Logger: zap.NewNop(), NewID: makeID, Now: time.Now})
	collector.Start(b.Context())
	b.Cleanup(func() { collector.Stop(context.Background()) })
	rules := event.DefaultRules()
	handler, err := httpapi.New(httpapi.Config{Budget: 5 * time.Second, BodyMemory: 128 << 20, Rules: &rules}, httpapi.Deps{
		KeyCache: cache, Limiter: access.NewLimiter(time.Now), Collector: collector, Logger: zap.NewNop(), Now: time.Now, NewRequestID: func() string { return "01a20a00-5b1e-7c3f-9d2a-3f1c2b4a5d6e" },
		NewTraceID: func() trace.TraceID { return trace.TraceID{1} },
	})
	require.NoError(b, err)
	for _, events := range []int{1, 100} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			one := newEvent(b, newID(), "event_id", newID(), "data", map[string]any{"host": "www.example.com", "path": "/products/shoes/running", "load_ms": 123.25, "tags": []string{"a", "b"}})
			text, sent := text, []byte(one)
			if events > 1 {
				all := make([]string, events)
				for i := range all {
					all[i] = one
				}

				sent = []byte(batchOf(all...))
			}

			b.ReportAllocs()
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				reader := &again{}
				for pb.Next() {
					reader.Reset(sent)
					request, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, "/v1/events", reader)
					request.ContentLength = int64(len(sent))
					request.Header = http.Header{"Authorization": {"Bearer " + text}, "Content-Type": {"application/json"}}
					w := &nowhere{header: http.Header{}}
					handler.ServeHTTP(w, request)
					if w.status != http.StatusCreated {
						b.Error(w.status)
						return
					}
				}
			})
		})
	}
}
