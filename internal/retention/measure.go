package retention

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/the-eye-events/the-eye/internal/instrument"
)

// counters counts the work of a Worker.
type counters struct {
	succeeded, failed  atomic.Int64
	events, partitions atomic.Int64
	// lastSuccess is when a round last succeeded, in seconds since 1970; 0 until then.
	lastSuccess atomic.Int64
	// roundFailed tells that something failed in the round that runs; only that uses it.
	roundFailed bool
}

// recordRound counts the round that ran, unless it was called off.
func (c *counters) recordRound(ctx context.Context, now func() time.Time) {
	faulty := c.roundFailed
	c.roundFailed = false
	switch {
	case faulty:
		c.failed.Add(1)
	case ctx.Err() == nil:
		c.succeeded.Add(1)
		c.lastSuccess.Store(now().Unix())
	}
}

// RegisterMetrics makes the rounds metrics of a meter. It is called once.
func (w *Worker) RegisterMetrics(meter metric.Meter) error {
	c := &w.counters
	set := instrument.NewSet(meter)

	set.AddCounters("theeye.retention.rounds", "{round}",
		"Rounds of retention, which make partitions and drop expired ones, by outcome: succeeded or failed",
		"outcome", map[string]*atomic.Int64{"succeeded": &c.succeeded, "failed": &c.failed})
	set.AddGaugeIfKnown("theeye.retention.last_success.timestamp", "s",
		"Unix time of the last successful round of retention",
		func() (int64, bool) {
			at := c.lastSuccess.Load()
			return at, at != 0
		})
	set.AddCounter("theeye.retention.expired.events", "{event}",
		"Expired events that this replica dropped", c.events.Load)
	set.AddCounter("theeye.retention.expired.error.partitions", "{partition}",
		"Partitions of expired errors that this replica dropped", c.partitions.Load)

	return set.Err()
}
