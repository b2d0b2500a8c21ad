package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Interval is a length of time by which counts are divided, in UTC.
type Interval string

// The intervals.
const (
	Minute Interval = "minute"
	Hour   Interval = "hour"
	Day    Interval = "day"
)

// StatsQuery says which events are counted, and by what the counts are divided. Zero values
// fit all events and divide by nothing.
type StatsQuery struct {
	SessionID, Category, Name, Application string
	// From is inclusive, To exclusive; both are about Timestamp.
	From, To time.Time
	// GroupBy has some of "category", "name" and "application".
	GroupBy []string
	// Interval divides by time. Fill adds buckets of zero, and needs From and To.
	Interval Interval
	Fill     bool
}

// Stats are counts of events.
type Stats struct {
	// From and To are what was counted; zero where that is not bounded.
	From    time.Time     `json:"from"`
	To      time.Time     `json:"to"`
	Buckets []StatsBucket `json:"buckets"`
}

// StatsBucket is one count.
type StatsBucket struct {
	// Start is when the interval begins; zero without an Interval.
	Start time.Time
	// Group has the value of each dimension of GroupBy.
	Group map[string]string
	Count int64
}

// UnmarshalJSON reads a bucket, whose dimensions are members beside the count.
func (b *StatsBucket) UnmarshalJSON(text []byte) error {
	var known struct {
		Start time.Time `json:"start"`
		Count int64     `json:"count"`
	}
	var all map[string]any
	err := json.Unmarshal(text, &known)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}

	if err != nil {
		return fmt.Errorf("client: read a count: %w", err)
	}

	b.Start = known.Start
	b.Count = known.Count
	b.Group = map[string]string{}
	for name, value := range all {
		if text, ok := value.(string); ok && name != "start" {
			b.Group[name] = text
		}
	}

	return nil
}

// Stats counts events.
func (c *Client) Stats(ctx context.Context, q StatsQuery) (Stats, error) {
	query := url.Values{}
	setText(query, "session_id", q.SessionID)
	setText(query, "category", q.Category)
	setText(query, "name", q.Name)
	setText(query, "application", q.Application)
	setTime(query, "from", q.From)
	setTime(query, "to", q.To)
	setText(query, "group_by", strings.Join(q.GroupBy, ","))
	setText(query, "interval", string(q.Interval))
	if q.Fill {
		query.Set("fill", "true")
	}

	var stats Stats
	err := c.get(ctx, "/v1/stats", query, &stats)
	return stats, err
}
