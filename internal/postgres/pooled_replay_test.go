package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/rejection"
)

// Behind a pooler nothing is prepared, so that every parameter has to tell its type.
func TestPooledReplay(t *testing.T) {
	t.Parallel()
	b := newPooledBundle(t)
	c := collector(t, b.store, 1)
	mended(t, c, shop, 6, fault.CodeSchemaViolation, func(i int, e *event.Envelope) {
		if i == 5 {
			e.Raw = []byte(`{}`)
		}
	})
	rules, ctx := event.DefaultRules(), context.Background()
	store := postgres.NewReplayStore(b.db)
	desk := rejection.NewDesk(rejection.Deps{Store: store, Gate: way{c}, Rules: &rules, Now: time.Now})
	all, err := store.Read(ctx, rejection.Filter{}, rejection.Position{}, 10)
	require.NoError(t, err)
	require.Len(t, all, 6)
	last := all[5]
	replay := func(s rejection.Selection) rejection.ReplayTotals {
		totals, err := desk.Replay(ctx, s, func(rejection.ReplayTotals) {})
		require.NoError(t, err)
		return totals
	}
	discard := func(s rejection.Selection) rejection.DiscardTotals {
		totals, err := desk.Discard(ctx, s, func(rejection.DiscardTotals) {})
		require.NoError(t, err)
		return totals
	}
	ids := func(ids ...uuid.UUID) rejection.Selection {
		return rejection.Selection{Filter: rejection.Filter{IDs: ids}}
	}
	require.Equal(t, rejection.ReplayTotals{Matched: 1, Stored: 1}, replay(ids(all[0].ID, uuid.New())))
	require.Equal(t, rejection.DiscardTotals{Matched: 1, Discarded: 1}, discard(ids(all[1].ID)))
	filter := rejection.Filter{
		Code: string(fault.CodeSchemaViolation), Application: "shop", From: all[2].ReceivedAt, To: last.ReceivedAt.Add(time.Second),
	}
	require.Equal(t, rejection.ReplayTotals{Matched: 4, Stored: 3, Rejected: 1}, replay(rejection.Selection{Filter: filter}))
	require.Equal(t, rejection.DiscardTotals{Matched: 1, Discarded: 1}, discard(rejection.Selection{All: true}))

	reads := postgres.NewQueryStore(b.db)
	kept, err := reads.Rejection(ctx, last.ID)
	require.NoError(t, err)
	require.Equal(t, query.StatusDiscarded, kept.Status)
	counted, err := (&query.Finder{RejectionStore: reads}).RejectionStats(ctx, query.RejectionStatsFilter{
		Grouping:        query.Grouping{By: []string{"code", "application", "category", "name"}, Interval: query.Hour},
		RejectionFilter: query.RejectionFilter{Code: string(fault.CodeSchemaViolation), Application: "shop", From: filter.From.Add(-time.Hour), To: filter.To},
	})
	require.NoError(t, err)
	sum := int64(0)
	for _, bucket := range counted {
		sum += bucket.Count
	}
	require.EqualValues(t, 6, sum)
	groups, err := reads.RejectionGroups(ctx, query.RejectionFilter{Application: "shop", Status: query.StatusReplayed}, 10)
	require.NoError(t, err)
	require.NotEmpty(t, groups)
}
