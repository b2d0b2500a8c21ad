package ingest_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// instant stores everything at once and keeps nothing.
type instant struct{}

func (instant) Commit(_ context.Context, group *ingest.Group) error {
	for _, item := range group.Items {
		*item.Verdict = ingest.Verdict{Status: ingest.Stored, EventID: item.Envelope.Event.ID, Sequence: 1}
	}

	return nil
}

func (instant) DryRun(context.Context, *ingest.Group) error { return nil }

// BenchmarkSubmit measures the group commit alone: the cost of waiting in a group for a store
// that takes no time. An operation is one event.
func BenchmarkSubmit(b *testing.B) {
	for _, clients := range []int{1, 64, 256} {
		for _, events := range []int{1, 100} {
			b.Run(fmt.Sprintf("clients=%d/events=%d", clients, events), func(b *testing.B) {
				c := newCollector(ingest.Config{
					Budget: 5 * time.Second, GroupEvents: 5000, GroupBytes: 16 << 20,
					QueueEvents: 50_000, QueueBytes: 128 << 20, Lanes: 2,
				}, instant{})
				c.Start(b.Context())
				b.Cleanup(func() { c.Stop(context.Background()) })
				benchSubmit(b, c, clients, events)
			})
		}
	}
}

func benchSubmit(b *testing.B, c *ingest.Collector, clients, events int) {
	b.Helper()
	requests := (b.N + events - 1) / events
	own := make([]*ingest.Request, clients)
	for i := range own {
		envelopes := make([]event.Envelope, events)
		for n := range envelopes {
			envelopes[n] = good(uuid.New())
		}

		own[i] = request(envelopes...)
	}

	var next, failed atomic.Int64
	var group sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for _, r := range own {
		group.Go(func() {
			for next.Add(1) <= int64(requests) {
				if verdicts, err := c.Submit(context.Background(), r); err != nil || verdicts[0].Status != ingest.Stored {
					failed.Add(1)
				}
			}
		})
	}

	group.Wait()
	b.StopTimer()
	require.Zero(b, failed.Load(), "requests that were not stored")
	b.ReportMetric(float64(requests*events)/b.Elapsed().Seconds(), "events/s")
}
