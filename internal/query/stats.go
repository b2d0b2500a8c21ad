package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// MaxBuckets bounds the buckets of an answer. A query with more is rejected.
const MaxBuckets = 10_000

// Interval is the length of the buckets of counts. Buckets begin at multiples of it in
// UTC. With zero, counts are not divided by time.
type Interval time.Duration

// The intervals.
const (
	Minute = Interval(time.Minute)
	Hour   = Interval(time.Hour)
	Day    = Interval(24 * time.Hour)
)

// BucketStart returns the beginning of the bucket that holds a time.
func (i Interval) BucketStart(at time.Time) time.Time { return at.UTC().Truncate(time.Duration(i)) }

// Grouping divides counts into groups and buckets.
type Grouping struct {
	// By are the dimensions, in the order of the parameter.
	By       []string
	Interval Interval
	// Fill adds a bucket of zero at each interval in which a group has none.
	Fill bool
}

// ParseGrouping parses the parameters group_by, interval and fill, where "" is not set,
// and returns all their violations. dimensions are the known dimensions.
func ParseGrouping(groupBy, interval string, fill bool, dimensions ...string) (g Grouping, wrong []fault.Violation) {
	refuse := func(parameter, detail string) {
		wrong = append(wrong, fault.Violation{Parameter: parameter, Code: fault.CodeInvalidParameter, Detail: detail})
	}
	if groupBy != "" {
		g.By = strings.Split(groupBy, ",")
	}

	for n, dimension := range g.By {
		if !slices.Contains(dimensions, dimension) || slices.Contains(g.By[:n], dimension) {
			refuse("group_by", "group_by names some of these, separated by commas, each once: "+strings.Join(dimensions, ", "))
			break
		}
	}

	intervals := map[string]Interval{"": 0, "minute": Minute, "hour": Hour, "day": Day}
	var known bool
	if g.Interval, known = intervals[interval]; !known {
		refuse("interval", "interval is one of: minute, hour, day")
	}

	if g.Fill = fill; fill && interval == "" {
		refuse("fill", "fill needs an interval: without one there are no gaps in time to fill")
	}

	return g, wrong
}

// defaultSpan is the range of counts by time when no range is given.
const defaultSpan = 24 * time.Hour

// ResolveRange returns the range of time to count for from and to: if both are missing,
// all time, or the last 24 hours if counts are divided by time.
func (g Grouping) ResolveRange(from, to, now time.Time) (time.Time, time.Time) {
	if from.IsZero() && to.IsZero() && g.Interval != 0 {
		to = now.UTC().Truncate(time.Microsecond)
		from = to.Add(-defaultSpan)
	}

	return from, to
}

// Bucket is one count.
type Bucket struct {
	// Start is zero unless counts are divided by time.
	Start time.Time
	// Group holds a value for each dimension, in their order.
	Group []string
	Count int64
}

// CollectBuckets collects counts, at most MaxBuckets, in the order of time and then of
// groups, and fills gaps if Fill is set. read yields the counts that are not zero, at
// most limit, and stops when yield returns false.
func (g Grouping) CollectBuckets(from, to time.Time, read func(limit int, yield func(Bucket) bool) error) ([]Bucket, error) {
	if g.Fill {
		if from.IsZero() || to.IsZero() {
			return nil, invalidParameter("fill", "fill needs a bounded range: give both from and to, or neither")
		}

		if n := to.Sub(g.Interval.BucketStart(from)) / time.Duration(g.Interval); n > MaxBuckets {
			return nil, tooManyBuckets()
		}
	}

	found := []Bucket{}
	if err := read(MaxBuckets+1, func(b Bucket) bool {
		found = append(found, b)
		return len(found) <= MaxBuckets
	}); err != nil {
		return nil, err
	}

	if g.Fill {
		found = g.fillGaps(found, from, to)
	}

	if len(found) > MaxBuckets {
		return nil, tooManyBuckets()
	}

	slices.SortFunc(found, func(a, b Bucket) int { return cmp.Or(a.Start.Compare(b.Start), slices.Compare(a.Group, b.Group)) })
	return found, nil
}

// fillGaps returns the buckets with the gaps of each group filled, or more than
// MaxBuckets of them. Counts that are divided only by time have one group, which always
// exists.
func (g Grouping) fillGaps(found []Bucket, from, to time.Time) []Bucket {
	type place struct {
		start int64
		group string
	}
	groups := map[string][]string{}
	present := map[place]bool{}
	if len(g.By) == 0 {
		groups[""] = nil
	}

	for _, b := range found {
		key := strings.Join(b.Group, "\x00") // no value contains NUL
		groups[key] = b.Group
		present[place{b.Start.UnixMicro(), key}] = true
	}

	for start := g.Interval.BucketStart(from); start.Before(to); start = start.Add(time.Duration(g.Interval)) {
		for key, group := range groups {
			if present[place{start.UnixMicro(), key}] {
				continue
			}

			if found = append(found, Bucket{Start: start, Group: group}); len(found) > MaxBuckets {
				return found
			}
		}
	}

	return found
}

func tooManyBuckets() error {
	return invalidParameter("group_by", fmt.Sprintf("the answer would have more than %d buckets; narrow the range, use a longer interval, group by less, or filter", MaxBuckets))
}

// invalidParameter makes the fault of a single query parameter.
func invalidParameter(parameter, detail string) error {
	return &fault.Error{
		Kind:       fault.Invalid,
		Code:       fault.CodeInvalidParameter,
		Detail:     detail,
		Violations: []fault.Violation{{Parameter: parameter, Code: fault.CodeInvalidParameter, Detail: detail}},
	}
}

// StatsFilter selects events to count, and their grouping. Zero values do not filter.
type StatsFilter struct {
	Grouping

	SessionID   uuid.NullUUID
	Category    string
	Name        string
	Application string
	// From is inclusive and To exclusive, both on the timestamp.
	From, To time.Time
}

// StatsStore counts events.
type StatsStore interface {
	// CountEvents yields the counts of a filter that are not zero, at most limit, in
	// any order, all as of one moment. A filter without a grouping has one count.
	CountEvents(ctx context.Context, filter StatsFilter, limit int, yield func(Bucket) bool) error
}

// EventStats counts events. The filter's range has been resolved by
// Grouping.ResolveRange.
func (f *Finder) EventStats(ctx context.Context, filter StatsFilter) ([]Bucket, error) {
	return filter.CollectBuckets(filter.From, filter.To, func(limit int, yield func(Bucket) bool) error {
		return f.CountEvents(ctx, filter, limit, yield)
	})
}
