package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/rejection"
)

// ingestAdapter submits rejections to a collector.
type ingestAdapter struct{ *ingest.Collector }

func (w ingestAdapter) Submit(ctx context.Context, p *rejection.ReplayItem) (rejection.Verdict, error) {
	verdicts, err := w.Collector.Submit(ctx, &ingest.Request{
		ID: p.RequestID, Application: p.Application, TraceID: p.TraceID, ReceivedAt: p.ReceivedAt, Envelopes: []event.Envelope{p.Envelope}, Replay: true,
	})
	if err != nil {
		return rejection.Verdict{}, err
	}

	v := verdicts[0]
	status := rejection.Rejected
	switch v.Status {
	case ingest.Stored:
		status = rejection.Stored
	case ingest.Duplicate:
		status = rejection.Duplicate
	case ingest.Conflict, ingest.Rejected, ingest.NotStored, ingest.Valid:
	}

	return rejection.Verdict{Status: status, EventID: v.EventID, Violations: v.Violations}, nil
}

func (ingestAdapter) Check(context.Context, []rejection.ReplayItem) ([]rejection.Verdict, error) {
	return nil, errors.New("it is not called")
}

// forgetful loses every other outcome, like a process that is killed.
type forgetful struct {
	*postgres.ReplayStore

	notes atomic.Int64
}

var errKilled = errors.New("killed")

func (f *forgetful) SettleOutcomes(ctx context.Context, target string, outcomes []rejection.Outcome) error {
	if f.notes.Add(1)%2 == 1 {
		return errKilled
	}

	return f.ReplayStore.SettleOutcomes(ctx, target, outcomes)
}

// rejectMany rejects events for a reason that a replay does not check.
func rejectMany(t testing.TB, c *ingest.Collector, application event.ApplicationID, n int, code fault.Code, change func(int, *event.Envelope)) {
	t.Helper()
	for i := range n {
		e := envelope(uuid.New(), time.Now().Add(-time.Hour))
		e.Raw = fmt.Appendf(nil, `{"session_id":%q,"category":"page","name":"view","data":{"n":%d},"timestamp":"2021-01-01T09:15:27Z"}`, e.Event.SessionID, i)
		e.Known &^= event.FieldID
		e.Reject(code, fmt.Sprintf("/data/%d", i%2), fmt.Sprintf("rejected %d", i))
		if change != nil {
			change(i, &e)
		}

		submit(t, c, request(application, e))
	}
}

// Runs that are killed between the commit of events and the record of it store nothing twice,
// and the next run finds what they left.
func TestReplayIsCutOffBetweenCommitAndNote(t *testing.T) {
	t.Parallel()
	const n = 20
	b := newBundle(t)
	c := collector(t, b.store, 1)
	rejectMany(t, c, shop, n, fault.CodeSchemaViolation, nil)
	rules := event.DefaultRules()
	store := &forgetful{ReplayStore: postgres.NewReplayStore(b.db)}
	service := rejection.NewService(rejection.Deps{Store: store, Ingester: ingestAdapter{c}, Rules: &rules, Now: time.Now})
	run := func() (rejection.ReplayTotals, error) {
		return service.Replay(context.Background(), rejection.Selection{All: true}, func(rejection.ReplayTotals) {})
	}
	totals, err := run()
	require.ErrorIs(t, err, errKilled)
	require.EqualValues(t, n, totals.Stored)
	require.Equal(t, n, count(t, b, "event"))
	require.Equal(t, n, count(t, b, "rejection where status = 'open' and leased_until > now()"))
	require.Zero(t, count(t, b, "audit_entry"))

	totals, err = run()
	require.NoError(t, err)
	require.Equal(t, rejection.ReplayTotals{Matched: n, Skipped: n}, totals, "the lease holds them still")
	_, err = b.database.Pool(t).Exec(context.Background(), "update rejection set leased_until = now() - interval '1 second'")
	require.NoError(t, err)
	totals, err = run()
	require.NoError(t, err)
	require.Equal(t, rejection.ReplayTotals{Matched: n, Duplicates: n}, totals)
	require.Equal(t, n, count(t, b, "event e join rejection r on r.rejection_id = e.event_id and r.received_at = e.received_at and r.outcome_event_id = e.event_id"))
	require.Equal(t, n, count(t, b, "rejection where status = 'replayed' and outcome = 'duplicate'"))
	require.Equal(t, n, count(t, b, "event"))
	require.Equal(t, 1, count(t, b, `audit_entry where target = 'all' and detail = '{"stored": 0, "duplicates": 20, "rejected": 0}'`))
}

// A locked row, such as one of an erasure, is skipped; nothing waits.
func TestClaimPassesOverWhatIsLocked(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	rejectMany(t, collector(t, b.store, 1), shop, 3, fault.CodeSchemaViolation, nil)
	s := postgres.NewReplayStore(b.db)
	ctx := context.Background()
	all, err := s.ReadOpen(ctx, rejection.Filter{}, rejection.Position{}, 10)
	require.NoError(t, err)
	require.Len(t, all, 3)
	require.True(t, slices.IsSortedFunc(all, func(x, y rejection.DeadLetter) int { return x.ReceivedAt.Compare(y.ReceivedAt) }))
	tx, err := b.database.Pool(t).Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "delete from rejection where rejection_id = $1", all[1].ID)
	require.NoError(t, err)
	claimed, err := s.ClaimOpen(ctx, rejection.Filter{}, rejection.Position{}, 10)
	require.NoError(t, err)
	require.Equal(t, []rejection.DeadLetter{all[0], all[2]}, claimed)
	require.NoError(t, tx.Rollback(ctx))
	claimed, err = s.ClaimOpen(ctx, rejection.Filter{}, all[0].Position, 10)
	require.NoError(t, err)
	require.Equal(t, []rejection.DeadLetter{all[1]}, claimed, "a leased rejection is not claimed again")
	n, _, err := s.DiscardOpen(ctx, "all", rejection.Filter{}, rejection.Position{}, 10)
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, s.SettleOutcomes(ctx, "all", []rejection.Outcome{{Position: all[0].Position}, {Position: all[2].Position, Verdict: rejection.Verdict{Status: rejection.Rejected}}}))
	claimed, err = s.ClaimOpen(ctx, rejection.Filter{}, rejection.Position{}, 10)
	require.NoError(t, err)
	require.Equal(t, []rejection.DeadLetter{all[0], all[2]}, claimed, "a released rejection is free")
	// Rejections that were closed in the meantime stay as they are.
	_, err = b.database.Pool(t).Exec(ctx, "update rejection set status = 'discarded' where rejection_id = $1", all[0].ID)
	require.NoError(t, err)
	require.NoError(t, s.SettleOutcomes(ctx, "all", []rejection.Outcome{{Position: all[0].Position, Verdict: rejection.Verdict{Status: rejection.Stored, EventID: all[0].ID}}}))
	require.Equal(t, 1, count(t, b, "rejection where status = 'discarded' and outcome is null"))
}

// rejectionsPlainSQL selects the rejections that are counted.
const rejectionsPlainSQL = `
select r.code, a.name, coalesce(r.category, ''), coalesce(r.name, ''), r.received_at from rejection r join application a using (application_id)
where ($1 = '' or exists (select from jsonb_array_elements(r.errors) e where e ->> 'code' = $1)) and ($2 = '' or a.name = $2) and ($3 = '' or r.status = $3)
	and r.received_at >= $4 and r.received_at < $5`

// Counts are equal to those of a plain statement.
func TestCountsOfRejectionsEqualSQL(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	for _, application := range []event.ApplicationID{shop, blog} {
		rejectMany(t, c, application, 30, fault.CodeSchemaViolation, func(i int, e *event.Envelope) {
			if i%3 == 0 {
				e.Reject(fault.CodeUnknownField, "/x", "no")
			}

			if i%5 == 0 {
				e.Known &^= event.FieldCategory
			}
		})
		rejectMany(t, c, application, 7, fault.CodeUnknownField, nil)
	}

	pool := b.database.Pool(t)
	_, err := pool.Exec(context.Background(), `
with n as (select rejection_id, received_at, row_number() over (order by rejection_id) as n from rejection)
update rejection r set received_at = date_trunc('day', r.received_at) + n.n * interval '7 minutes', status = case when n.n % 4 = 0 then 'replayed' else 'open' end
from n where n.rejection_id = r.rejection_id and n.received_at = r.received_at`)
	require.NoError(t, err)
	s := postgres.NewQueryStore(b.db)
	day := time.Now().UTC().Truncate(24 * time.Hour)
	from, to := day.Add(30*time.Minute), day.Add(5*time.Hour+time.Minute)
	for _, by := range [][]string{nil, {"code"}, {"application", "category"}, {"name", "category", "application", "code"}} {
		for _, interval := range []query.Interval{0, query.Minute, query.Hour, query.Day} {
			for _, f := range []query.RejectionFilter{
				{}, {From: from}, {From: from, To: to}, {Code: string(fault.CodeUnknownField)}, {Application: "blog", Status: "open", From: from, To: to},
			} {
				rows, err := pool.Query(context.Background(), rejectionsPlainSQL, f.Code, f.Application, f.Status, f.From, orFarAway(f.To)) //nolint:rowserrcheck // ForEachRow returns it
				require.NoError(t, err)
				want := map[string]int64{}
				var code, application, category, name string
				var when time.Time
				_, err = pgx.ForEachRow(rows, []any{&code, &application, &category, &name, &when}, func() error {
					var group []string
					for _, dimension := range by {
						group = append(group, map[string]string{"code": code, "category": category, "name": name, "application": application}[dimension])
					}

					start := time.Time{}
					if interval != 0 {
						start = when.UTC().Truncate(time.Duration(interval))
					}

					want[fmt.Sprintf("%s %q", start.Format(time.RFC3339), group)]++
					return nil
				})
				require.NoError(t, err)
				got := map[string]int64{}
				filter := query.RejectionStatsFilter{Grouping: query.Grouping{By: by, Interval: interval}, RejectionFilter: f}
				require.NoError(t, s.CountRejections(context.Background(), filter, query.MaxBuckets, func(b query.Bucket) bool {
					got[fmt.Sprintf("%s %q", b.Start.Format(time.RFC3339), b.Group)] = b.Count
					return true
				}))
				require.Equal(t, want, got, "%+v", filter)
			}
		}
	}
}

func TestGroupsOfRejections(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	rejectMany(t, c, shop, 5, fault.CodeSchemaViolation, func(i int, e *event.Envelope) { // at /data/0 and /data/1
		e.Reject(fault.CodeSchemaViolation, fmt.Sprintf("/data/%d", i%2), "twice at one place")
		if i == 0 {
			e.Reject(fault.CodeUnknownField, "/x", "no")
		}
	})
	rejectMany(t, c, blog, 2, fault.CodeSchemaViolation, nil)
	s := postgres.NewQueryStore(b.db)
	groups := func(f query.RejectionFilter, limit int) (texts []string) {
		found, err := s.RejectionGroups(context.Background(), f, limit)
		require.NoError(t, err)
		for _, g := range found {
			texts = append(texts, fmt.Sprintf("%d %s %s %s", g.Count, g.Code, g.Pointer, g.Application))
			sample, err := s.Rejection(context.Background(), g.SampleID)
			require.NoError(t, err)
			require.Equal(t, g.LastSeen, sample.ReceivedAt)
			require.False(t, g.FirstSeen.After(g.LastSeen))
			require.True(t, slices.ContainsFunc(sample.Violations, func(v fault.Violation) bool {
				return v.Code == g.Code && v.Pointer == g.Pointer && v.Detail == g.Detail
			}), "%+v", g)
			require.Equal(t, "view", *g.Name)
		}

		return texts
	}
	all := groups(query.RejectionFilter{}, 10)
	require.Equal(t, []string{"3 schema_violation /data/0 shop", "2 schema_violation /data/1 shop"}, all[:2])
	require.ElementsMatch(t, []string{"1 schema_violation /data/0 blog", "1 schema_violation /data/1 blog", "1 unknown_field /x shop"}, all[2:])
	require.Equal(t, all[:2], groups(query.RejectionFilter{}, 2))
	require.Equal(t, []string{"1 unknown_field /x shop"}, groups(query.RejectionFilter{Code: "unknown_field"}, 10))
	require.Equal(t, all[:2], groups(query.RejectionFilter{Application: "shop", Code: "schema_violation"}, 10))
	require.Empty(t, groups(query.RejectionFilter{Status: "replayed"}, 10))
}

func TestPooledReplays(t *testing.T) {
	t.Parallel()
	b := newPooledBundle(t)
	rejectMany(t, collector(t, b.store, 1), shop, 5, fault.CodeSchemaViolation, nil)
	ctx, s := context.Background(), postgres.NewReplayStore(b.db)
	all, err := s.ReadOpen(ctx, rejection.Filter{Code: string(fault.CodeSchemaViolation), Application: "shop", Category: "page", Name: "view", From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}, rejection.Position{}, 10)
	require.NoError(t, err)
	require.Len(t, all, 5)
	n, err := s.CountOpen(ctx, rejection.Filter{IDs: []uuid.UUID{all[0].ID, all[3].ID, uuid.New()}})
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	claimed, err := s.ClaimOpen(ctx, rejection.Filter{IDs: []uuid.UUID{all[0].ID, all[3].ID}}, rejection.Position{}, 10)
	require.NoError(t, err)
	require.Equal(t, []rejection.DeadLetter{all[0], all[3]}, claimed)
	require.NoError(t, s.SettleOutcomes(ctx, "ids", []rejection.Outcome{
		{Position: all[0].Position, Verdict: rejection.Verdict{Status: rejection.Stored, EventID: all[0].ID}},
		{Position: all[3].Position, Verdict: rejection.Verdict{Status: rejection.Rejected, Violations: []fault.Violation{{Pointer: "/a", Code: fault.CodeNotReplayable, Detail: `"no", {it} \ is not`}}}},
	}))
	reads := postgres.NewQueryStore(b.db)
	again, err := reads.Rejection(ctx, all[3].ID)
	require.NoError(t, err)
	require.Equal(t, []fault.Violation{{Pointer: "/a", Code: fault.CodeNotReplayable, Detail: `"no", {it} \ is not`}}, again.OutcomeErrors)
	discarded, last, err := s.DiscardOpen(ctx, "all", rejection.Filter{}, all[1].Position, 2)
	require.NoError(t, err)
	require.Equal(t, 2, discarded)
	require.Equal(t, all[3].Position, last)
	require.Equal(t, 2, count(t, b, "rejection where status = 'open'"))
	groups, err := reads.RejectionGroups(ctx, query.RejectionFilter{Code: string(fault.CodeSchemaViolation)}, 10)
	require.NoError(t, err)
	require.Len(t, groups, 2)
	filter := query.RejectionStatsFilter{Grouping: query.Grouping{By: []string{"code"}, Interval: query.Day}}
	require.NoError(t, reads.CountRejections(ctx, filter, 10, func(b query.Bucket) bool {
		require.Equal(t, []string{"schema_violation"}, b.Group)
		return true
	}))
}
