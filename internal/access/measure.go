package access

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"

	"github.com/the-eye-events/the-eye/internal/instrument"
)

// counters counts authentications by result.
type counters struct{ accepted, rejected, unavailable atomic.Int64 }

// RegisterMetrics makes the work and the content of the cache metrics of a meter. It is
// called once.
func (c *Cache) RegisterMetrics(meter metric.Meter) error {
	set := instrument.NewSet(meter)

	set.AddGaugeIfKnown("theeye.access.directory.keys", "{key}",
		"Keys in the key cache, including expired and revoked ones",
		c.readFromIndex(func(x *index) int { return len(x.keys) }))
	set.AddGaugeIfKnown("theeye.access.directory.applications", "{application}",
		"Applications in the key cache, including disabled ones",
		c.readFromIndex(func(x *index) int { return x.applications }))
	set.AddSecondsIfKnown("theeye.access.directory.age",
		"Age of the key cache; past 4.5 s no key is accepted", c.Age)
	set.AddCounters("theeye.access.authentications", "{authentication}",
		"Authentications of requests by result: accepted, refused, or unavailable (keys could not be checked)",
		"result", map[string]*atomic.Int64{
			"accepted":    &c.counters.accepted,
			"refused":     &c.counters.rejected,
			"unavailable": &c.counters.unavailable,
		})
	set.AddCounters("theeye.access.refreshes", "{refresh}",
		"Refreshes of the key cache by outcome: unchanged, changed (all keys were read again), or failed",
		"outcome", map[string]*atomic.Int64{
			"unchanged": &c.Refreshes.Unchanged,
			"changed":   &c.Refreshes.Changed,
			"failed":    &c.Refreshes.Failed,
		})

	return set.Err()
}

// readFromIndex reads a number from the index, once there is one.
func (c *Cache) readFromIndex(number func(*index) int) func() (int64, bool) {
	return func() (int64, bool) {
		latest := c.Latest()
		if latest == nil {
			return 0, false
		}

		return int64(number(latest.Content)), true
	}
}
