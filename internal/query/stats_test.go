package query_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

func TestParseGrouping(t *testing.T) {
	t.Parallel()
	g, wrong := query.ParseGrouping("name,category", "hour", true, "category", "name")
	require.Empty(t, wrong)
	require.Equal(t, query.Grouping{By: []string{"name", "category"}, Interval: query.Hour, Fill: true}, g)
	for _, bad := range []struct {
		groupBy, interval string
		fill              bool
		parameter         string
	}{
		{"colour", "", false, "group_by"},
		{"name,name", "", false, "group_by"},
		{"name,", "", false, "group_by"},
		{"", "week", false, "interval"},
		{"name", "", true, "fill"},
	} {
		_, wrong := query.ParseGrouping(bad.groupBy, bad.interval, bad.fill, "category", "name")
		require.Len(t, wrong, 1, bad)
		require.Equal(t, bad.parameter, wrong[0].Parameter)
	}
}

func TestRangeOfCounts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	from, to := query.Grouping{}.ResolveRange(time.Time{}, time.Time{}, now)
	require.True(t, from.IsZero() && to.IsZero(), "all time")
	from, to = query.Grouping{Interval: query.Hour}.ResolveRange(time.Time{}, time.Time{}, now)
	require.Equal(t, [2]time.Time{now.Add(-24 * time.Hour), now}, [2]time.Time{from, to})
	from, to = query.Grouping{Interval: query.Hour}.ResolveRange(now, time.Time{}, now)
	require.True(t, from.Equal(now) && to.IsZero(), "the requested range")
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 6, 7, 30, 0, 0, time.UTC)
	hour := func(h int) time.Time { return time.Date(2026, 5, 6, h, 0, 0, 0, time.UTC) }
	read := func(buckets ...query.Bucket) func(int, func(query.Bucket) bool) error {
		return func(_ int, yield func(query.Bucket) bool) error {
			for _, b := range buckets {
				if !yield(b) {
					break
				}
			}

			return nil
		}
	}
	g := query.Grouping{By: []string{"name"}, Interval: query.Hour, Fill: true}
	found, err := g.CollectBuckets(at, at.Add(2*time.Hour), read(query.Bucket{hour(9), []string{"b"}, 5}, query.Bucket{hour(8), []string{"a"}, 2}))
	require.NoError(t, err)
	require.Equal(t, []query.Bucket{
		{hour(7), []string{"a"}, 0},
		{hour(7), []string{"b"}, 0},
		{hour(8), []string{"a"}, 2},
		{hour(8), []string{"b"}, 0},
		{hour(9), []string{"a"}, 0},
		{hour(9), []string{"b"}, 5},
	}, found, "the first and the last bucket are cut by the range, and there")

	g.By = nil
	found, err = g.CollectBuckets(at, hour(9), read())
	require.NoError(t, err)
	require.Equal(t, []query.Bucket{{hour(7), nil, 0}, {hour(8), nil, 0}}, found, "nothing occurs, and the zeros are still included")

	for _, ends := range [][2]time.Time{{{}, at}, {at, {}}} {
		_, err = g.CollectBuckets(ends[0], ends[1], read())
		requireInvalid(t, err, "fill")
	}
}

func TestTooManyBuckets(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 6, 0, 0, 0, 0, time.UTC)
	read := func(n int) func(int, func(query.Bucket) bool) error {
		return func(limit int, yield func(query.Bucket) bool) error {
			for i := range min(n, limit) {
				if !yield(query.Bucket{Start: at, Group: []string{fmt.Sprint(i)}, Count: 1}) {
					break
				}
			}

			return nil
		}
	}
	g := query.Grouping{By: []string{"name"}, Interval: query.Minute}
	found, err := g.CollectBuckets(at, at.AddDate(0, 0, 1), read(query.MaxBuckets))
	require.NoError(t, err)
	require.Len(t, found, query.MaxBuckets)
	_, err = g.CollectBuckets(at, at.AddDate(0, 0, 1), read(query.MaxBuckets+1))
	requireInvalid(t, err, "group_by")
	g.Fill = true
	_, err = g.CollectBuckets(at, at.AddDate(0, 0, 1), read(10)) // 10 groups of 1,440 minutes
	requireInvalid(t, err, "group_by")
	_, err = g.CollectBuckets(at, at.AddDate(1, 0, 0), func(int, func(query.Bucket) bool) error {
		t.Fatal("a query that is too large in any case is not run")
		return nil
	})
	requireInvalid(t, err, "group_by")
}

func requireInvalid(t *testing.T, err error, parameter string) {
	t.Helper()
	f, ok := fault.As(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, fault.Invalid, f.Kind)
	require.Equal(t, parameter, f.Violations[0].Parameter)
}
