package config

import (
	"fmt"
	"strings"
)

// checkRelations compares settings with one another. Settings that could not be read
// are skipped, because their problem is already reported.
func (l *loader) checkRelations(c Config) {
	l.requireRelation(c, c.HTTP.Listen != c.Ops.Listen || strings.HasSuffix(c.HTTP.Listen, ":0"),
		"http.listen", "must differ from", "give each its own port", "ops.listen")
	l.requireRelation(c, c.HTTP.ReadHeaderTimeout <= c.HTTP.ReadTimeout,
		"http.read_header_timeout", "must not exceed", "the headers are part of the request", "http.read_timeout")
	l.requireRelation(c, c.Database.WriteConnections > c.Ingest.Lanes,
		"database.write_connections", "must exceed", "each lane holds one and housekeeping needs one", "ingest.lanes")
	l.requireRelation(c, c.Limits.BodyBytes <= c.Limits.InflatedBytes,
		"limits.body_bytes", "must not exceed", "a body that is not compressed is bound by both", "limits.inflated_bytes")
	l.requireRelation(c, c.Limits.EventBytes <= c.Limits.InflatedBytes,
		"limits.event_bytes", "must not exceed", "no body could hold such an event", "limits.inflated_bytes")
	l.requireRelation(c, c.Ingest.GroupEvents >= c.Limits.BatchEvents,
		"ingest.group_events", "must not be less than", "a transaction holds a whole batch", "limits.batch_events")
	l.requireRelation(c, c.Ingest.GroupBytes >= c.Limits.InflatedBytes,
		"ingest.group_bytes", "must not be less than", "a transaction holds a whole batch", "limits.inflated_bytes")
	l.requireRelation(c, c.Ingest.QueueEvents >= c.Ingest.GroupEvents,
		"ingest.queue_events", "must not be less than", "groups form in the queue", "ingest.group_events")
	l.requireRelation(c, c.Ingest.QueueBytes >= c.Ingest.GroupBytes,
		"ingest.queue_bytes", "must not be less than", "groups form in the queue", "ingest.group_bytes")
	l.requireRelation(c, c.Drain.Timeout > c.Drain.Delay+c.HTTP.Budget,
		"drain.timeout", "must exceed the sum of", "requests accepted last must still be answered", "drain.delay", "http.budget")
}

// requireRelation reports a relation that does not hold, with all values and their places.
func (l *loader) requireRelation(c Config, holds bool, key, relation, reason string, others ...string) {
	if holds || l.invalid[key] {
		return
	}

	sides := make([]string, len(others))
	for i, other := range others {
		if l.invalid[other] {
			return
		}

		sides[i] = l.describeSide(c, other)
	}

	l.addProblem("%s %s %s: %s", l.describeSide(c, key), relation, strings.Join(sides, " and "), reason)
}

// describeSide shows one setting of a comparison.
func (l *loader) describeSide(c Config, key string) string {
	shown := ""
	for _, s := range l.settings {
		if s.Key == key {
			shown = s.field(&c).displayText()
		}
	}

	return fmt.Sprintf("%s (%s, %s)", key, shown, l.byKey[key].place)
}
