package rejection_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/rejection"
)

var errAway = errors.New("away")

// memoryStore holds rejections in memory, in the order of receipt.
type memoryStore struct {
	letters []rejection.DeadLetter
	claimed map[uuid.UUID]int
	leased  map[uuid.UUID]bool
	closed  map[uuid.UUID]rejection.Status
	refused map[uuid.UUID][]fault.Violation
	targets []string
	filters []rejection.Filter
	// settle, if set, is the error of SettleOutcomes, which then records nothing.
	settle error
}

func newStore(raws ...string) *memoryStore {
	s := &memoryStore{
		claimed: map[uuid.UUID]int{}, leased: map[uuid.UUID]bool{},
		closed: map[uuid.UUID]rejection.Status{}, refused: map[uuid.UUID][]fault.Violation{},
	}
	for i, raw := range raws {
		s.letters = append(s.letters, rejection.DeadLetter{
			Position: rejection.Position{ReceivedAt: noon().Add(time.Duration(i-len(raws)) * time.Second), ID: uuid.Must(uuid.NewV7())},
			Raw:      []byte(raw), RawSize: len(raw),
		})
	}

	return s
}

func noon() time.Time { return time.Date(2021, 1, 1, 12, 0, 0, 0, time.UTC) }

func (s *memoryStore) CountOpen(_ context.Context, f rejection.Filter) (int64, error) {
	s.filters = append(s.filters, f)
	return int64(len(s.letters) - len(s.closed)), nil
}

func (s *memoryStore) ReadOpen(_ context.Context, _ rejection.Filter, after rejection.Position, limit int) (found []rejection.DeadLetter, _ error) {
	for _, k := range s.letters {
		if len(found) < limit && k.ReceivedAt.After(after.ReceivedAt) && s.closed[k.ID] == "" && !s.leased[k.ID] {
			found = append(found, k)
		}
	}

	return found, nil
}

func (s *memoryStore) ClaimOpen(ctx context.Context, f rejection.Filter, after rejection.Position, limit int) ([]rejection.DeadLetter, error) {
	found, err := s.ReadOpen(ctx, f, after, limit)
	for _, k := range found {
		s.claimed[k.ID]++
		s.leased[k.ID] = true
	}

	return found, err
}

func (s *memoryStore) SettleOutcomes(ctx context.Context, target string, outcomes []rejection.Outcome) error {
	if err := errors.Join(s.settle, ctx.Err()); err != nil {
		return err
	}

	s.targets = append(s.targets, target)
	for _, o := range outcomes {
		delete(s.leased, o.ID)
		if o.Status == rejection.Stored || o.Status == rejection.Duplicate {
			s.closed[o.ID] = o.Status
		} else {
			s.refused[o.ID] = o.Violations
		}
	}

	return nil
}

func (s *memoryStore) DiscardOpen(ctx context.Context, target string, f rejection.Filter, after rejection.Position, limit int) (int, rejection.Position, error) {
	found, err := s.ReadOpen(ctx, f, after, limit)
	s.targets = append(s.targets, target)
	for _, k := range found {
		s.closed[k.ID] = "discarded"
		after = k.Position
	}

	return len(found), after, err
}

// memoryIngest stores an event once. It is unavailable as soon as it holds full events.
type memoryIngest struct {
	mu     sync.Mutex
	stored []event.Event
	full   int
	// obstructed are the names of events that a trigger rejects.
	obstructed string
}

func (l *memoryIngest) Submit(_ context.Context, p *rejection.ReplayItem) (rejection.Verdict, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if l.full > 0 && len(l.stored) == l.full {
		return rejection.Verdict{}, fault.NewUnavailable(errAway, fault.CodeOverloaded, "full", time.Second)
	}

	if l.obstructed != "" && p.Envelope.Event.Name == l.obstructed {
		cause := fmt.Errorf("%w: %w", rejection.ErrRejectedByDatabase, errAway)
		return rejection.Verdict{}, fault.NewUnavailable(cause, fault.CodeUnavailable, "not stored in time", time.Second)
	}

	return l.verdictOf(p, true), nil
}

func (l *memoryIngest) verdictOf(p *rejection.ReplayItem, store bool) rejection.Verdict {
	e := p.Envelope.Event
	known := slices.ContainsFunc(l.stored, func(s event.Event) bool { return s.ID == e.ID })
	switch {
	case !p.Envelope.Accepted():
		return rejection.Verdict{Status: rejection.Rejected, Violations: p.Envelope.Violations}
	case known:
		return rejection.Verdict{Status: rejection.Duplicate, EventID: e.ID}
	case store:
		l.stored = append(l.stored, e)
	}

	return rejection.Verdict{Status: rejection.Stored, EventID: e.ID}
}

func (l *memoryIngest) Check(_ context.Context, items []rejection.ReplayItem) (verdicts []rejection.Verdict, _ error) {
	for i := range items {
		verdicts = append(verdicts, l.verdictOf(&items[i], false))
	}

	return verdicts, nil
}

func newService(s *memoryStore, l *memoryIngest, stopping func() bool) *rejection.Service {
	rules := event.DefaultRules()
	return rejection.NewService(rejection.Deps{Store: s, Ingester: l, Rules: &rules, Now: noon, Stopping: stopping})
}

func good(members string) string {
	return `{` + members + `"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"page","name":"view","data":{},"timestamp":"2021-01-01T09:15:27Z"}`
}

func goods(n int) (raws []string) {
	for range n {
		raws = append(raws, good(""))
	}

	return raws
}

func everything() rejection.Selection { return rejection.Selection{All: true} }

func silent[T any](T) {}

func TestReplayTakesEachOnce(t *testing.T) {
	t.Parallel()
	raws := goods(600)
	raws[3], raws[400] = `{"x":1}`, good(`"event_id":"01a20a00-5b1e-7c3f-9d2a-3f1c2b4a5d6e",`)
	s, l := newStore(raws...), &memoryIngest{}
	var steps []rejection.ReplayTotals
	totals, err := newService(s, l, nil).Replay(t.Context(), everything(), func(now rejection.ReplayTotals) { steps = append(steps, now) })
	require.NoError(t, err)
	require.Equal(t, rejection.ReplayTotals{Matched: 600, Stored: 599, Rejected: 1}, totals)
	require.Len(t, l.stored, 599)
	require.Greater(t, len(steps), 1, "long runs report progress")
	require.Equal(t, totals.Stored, steps[len(steps)-1].Stored)
	for _, k := range s.letters {
		require.Equal(t, 1, s.claimed[k.ID], "a run does not claim a rejection again after it is rejected again")
	}

	require.NotEmpty(t, s.refused[s.letters[3].ID])
	ids := map[uuid.UUID]bool{}
	for _, e := range l.stored {
		ids[e.ID] = true
	}

	require.True(t, ids[s.letters[0].ID], "an event without an id gets the rejection's")
	require.True(t, ids[uuid.MustParse("01a20a00-5b1e-7c3f-9d2a-3f1c2b4a5d6e")], "an event keeps its id")
	require.False(t, ids[s.letters[400].ID])
	require.Subset(t, []string{"all"}, s.targets)

	totals, err = newService(s, l, nil).Replay(t.Context(), everything(), silent)
	require.NoError(t, err)
	require.Equal(t, rejection.ReplayTotals{Matched: 1, Rejected: 1}, totals)
	require.Len(t, l.stored, 599)
}

// A run that dies between the commit of an event and the record of its outcome stores
// nothing twice.
func TestReplayAfterALostNote(t *testing.T) {
	t.Parallel()
	s, l := newStore(goods(5)...), &memoryIngest{}
	s.settle = errAway
	totals, err := newService(s, l, nil).Replay(t.Context(), everything(), silent)
	require.ErrorIs(t, err, errAway)
	require.EqualValues(t, 5, totals.Stored)
	require.Empty(t, s.closed)

	s.settle = nil
	totals, err = newService(s, l, nil).Replay(t.Context(), everything(), silent)
	require.NoError(t, err)
	require.Equal(t, rejection.ReplayTotals{Matched: 5, Skipped: 5}, totals, "the lease holds them still")
	clear(s.leased)
	totals, err = newService(s, l, nil).Replay(t.Context(), everything(), silent)
	require.NoError(t, err)
	require.Equal(t, rejection.ReplayTotals{Matched: 5, Duplicates: 5}, totals)
	require.Len(t, l.stored, 5)
	require.Len(t, s.closed, 5)
}

func TestReplayStopsWhereTheGateIsShut(t *testing.T) {
	t.Parallel()
	s, l := newStore(goods(600)...), &memoryIngest{full: 300}
	totals, err := newService(s, l, nil).Replay(t.Context(), everything(), silent)
	require.True(t, fault.Is(err, fault.CodeOverloaded), "%v", err)
	require.EqualValues(t, 300, totals.Stored)
	require.Len(t, s.closed, 300, "stored events are recorded")
	require.Empty(t, s.leased, "and the rest is released")
	l.full = 0
	totals, err = newService(s, l, nil).Replay(t.Context(), everything(), silent)
	require.NoError(t, err)
	require.Equal(t, rejection.ReplayTotals{Matched: 300, Stored: 300}, totals)
	require.Len(t, l.stored, 600)
}

// An event that a trigger of an operator rejects stays open, and stops no other.
func TestReplayPassesOverWhatTheDatabaseRejects(t *testing.T) {
	t.Parallel()
	raws := goods(600)
	obstructed := strings.Replace(good(""), `"view"`, `"secret"`, 1)
	raws[0], raws[1], raws[300] = obstructed, obstructed, obstructed
	s, l := newStore(raws...), &memoryIngest{obstructed: "secret"}
	first := everything()
	first.Limit = 10
	totals, err := newService(s, l, nil).Replay(t.Context(), first, silent)
	require.NoError(t, err)
	require.Equal(t, rejection.ReplayTotals{Matched: 10, Stored: 8, Skipped: 2}, totals, "what is skipped counts towards the limit")

	totals, err = newService(s, l, nil).Replay(t.Context(), everything(), silent)
	require.NoError(t, err)
	require.Equal(t, rejection.ReplayTotals{Matched: 592, Stored: 589, Skipped: 3}, totals)
	require.Empty(t, s.leased, "they are released")
	require.Len(t, s.closed, 597)
	require.Empty(t, s.refused[s.letters[300].ID], "without a verdict")

	l.obstructed = ""
	totals, err = newService(s, l, nil).Replay(t.Context(), everything(), silent)
	require.NoError(t, err)
	require.Equal(t, rejection.ReplayTotals{Matched: 3, Stored: 3}, totals)
}

// When the record fails, too, callers see what ended the run, and the log gets both errors.
func TestReplayThatFailsTwiceTellsBoth(t *testing.T) {
	t.Parallel()
	s, l := newStore(goods(5)...), &memoryIngest{full: 3}
	s.settle = fault.NewUnavailable(errors.New("the disk is full"), fault.CodeUnavailable, "the record failed", time.Second)
	_, err := newService(s, l, nil).Replay(t.Context(), everything(), silent)
	f, ok := fault.As(err)
	require.True(t, ok)
	require.Equal(t, fault.CodeOverloaded, f.Code)
	require.Equal(t, "full", f.Detail)
	require.ErrorContains(t, err, errAway.Error())
	require.ErrorContains(t, err, "record the outcomes of a replay: ")
	require.ErrorContains(t, err, "the disk is full")
}

func TestReplayStopsWithTheServiceAndItsClient(t *testing.T) {
	t.Parallel()
	s, l := newStore(goods(600)...), &memoryIngest{}
	stopping := false
	_, err := newService(s, l, func() bool { return stopping }).Replay(t.Context(), everything(), func(rejection.ReplayTotals) { stopping = true })
	require.True(t, fault.Is(err, fault.CodeUnavailable), "%v", err)
	require.NotEmpty(t, s.closed)
	require.Less(t, len(s.closed), 600)
	require.Empty(t, s.leased)

	gone, leave := context.WithCancel(t.Context())
	leave()
	before := len(s.closed)
	_, err = newService(s, l, nil).Replay(gone, everything(), silent)
	require.NoError(t, err, "the store ignores the context")
	require.Greater(t, len(s.closed), before, "outcomes are still recorded")
}

func TestDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	s, l := newStore(good(""), `[1]`, good(""), `nonsense`), &memoryIngest{}
	dry := everything()
	dry.DryRun = true
	totals, err := newService(s, l, nil).Replay(t.Context(), dry, silent)
	require.NoError(t, err)
	require.Equal(t, rejection.ReplayTotals{Matched: 4, Stored: 2, Rejected: 2}, totals)
	discarded, err := newService(s, l, nil).Discard(t.Context(), dry, silent)
	require.NoError(t, err)
	require.Equal(t, rejection.DiscardTotals{Matched: 4}, discarded)
	require.Empty(t, s.claimed)
	require.Empty(t, s.closed)
	require.Empty(t, s.targets)
	require.Empty(t, l.stored)
}

func TestWhatCannotBeReplayed(t *testing.T) {
	t.Parallel()
	s, l := newStore(`[`+good("")+`]`, good(""), good(""), `{"session_id"`), &memoryIngest{}
	s.letters[1].Raw = nil
	s.letters[2].RawSize++
	totals, err := newService(s, l, nil).Replay(t.Context(), everything(), silent)
	require.NoError(t, err)
	require.EqualValues(t, 4, totals.Rejected)
	var codes []fault.Code
	for _, k := range s.letters {
		codes = append(codes, s.refused[k.ID][0].Code)
	}

	require.Equal(t, []fault.Code{fault.CodeNotReplayable, fault.CodeNotReplayable, fault.CodeNotReplayable, fault.CodeInvalidJSON}, codes)
}

func TestLimit(t *testing.T) {
	t.Parallel()
	s, l := newStore(goods(600)...), &memoryIngest{}
	some := everything()
	some.Limit = 300
	totals, err := newService(s, l, nil).Replay(t.Context(), some, silent)
	require.NoError(t, err)
	require.Equal(t, rejection.ReplayTotals{Matched: 300, Stored: 300}, totals)
	require.Contains(t, s.closed, s.letters[299].ID, "the oldest first")
	some.Limit = 7
	discarded, err := newService(s, l, nil).Discard(t.Context(), some, silent)
	require.NoError(t, err)
	require.Equal(t, rejection.DiscardTotals{Matched: 7, Discarded: 7}, discarded)
	require.Len(t, s.closed, 307)
}

func TestWhatIsMeantHasToBeSaid(t *testing.T) {
	t.Parallel()
	some := []uuid.UUID{uuid.New()}
	for name, wrong := range map[string]rejection.Selection{
		"":       {},
		"/ids":   {Filter: rejection.Filter{IDs: []uuid.UUID{}}},
		"/ids ":  {Filter: rejection.Filter{IDs: make([]uuid.UUID, rejection.MaxIDs+1)}},
		"/ids  ": {Filter: rejection.Filter{IDs: some, Code: "x"}},
		"/ids a": {Filter: rejection.Filter{IDs: some}, All: true},
		"/all":   {Filter: rejection.Filter{From: noon()}, All: true},
		"/limit": {All: true, Limit: -1},
	} {
		s := newStore(goods(1)...)
		for _, dry := range []bool{true, false} {
			wrong.DryRun = dry
			_, err := newService(s, &memoryIngest{}, nil).Replay(t.Context(), wrong, silent)
			require.True(t, fault.Is(err, fault.CodeInvalidRequest), name)
			_, err = newService(s, &memoryIngest{}, nil).Discard(t.Context(), wrong, silent)
			require.True(t, fault.Is(err, fault.CodeInvalidRequest), name)
		}

		require.Empty(t, s.filters)
	}

	s := newStore(goods(1)...)
	twice := rejection.Selection{Filter: rejection.Filter{IDs: []uuid.UUID{s.letters[0].ID, s.letters[0].ID}}}
	_, err := newService(s, &memoryIngest{}, nil).Replay(t.Context(), twice, silent)
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{s.letters[0].ID}, s.filters[0].IDs)
	require.Equal(t, []string{"ids"}, s.targets)
	filtered := rejection.Selection{Filter: rejection.Filter{Code: "a&b", To: noon(), SessionID: uuid.NullUUID{UUID: uuid.Nil, Valid: true}}}
	s = newStore(goods(1)...)
	_, err = newService(s, &memoryIngest{}, nil).Discard(t.Context(), filtered, silent)
	require.NoError(t, err)
	require.Equal(t, []string{"code=a%26b&session_id=" + uuid.Nil.String() + "&to=2021-01-01T12%3A00%3A00.000000Z"}, s.targets)
	require.Equal(t, noon(), s.filters[0].To)
}
