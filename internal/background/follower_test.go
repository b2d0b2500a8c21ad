package background_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/background"
)

var errAway = errors.New("the store is down")

// store is a store that a test decides on.
type store struct {
	mu      sync.Mutex
	version int64
	content string
	err     error
	// takes is how long an answer takes; it is the content at the time of the question.
	takes time.Duration
	reads int

	published []string
	health    []string
}

func (s *store) set(version int64, content string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.version, s.content, s.err = version, content, err
}

func (s *store) readVersion(ctx context.Context) (int64, time.Time, error) {
	s.mu.Lock()
	version, err, takes := s.version, s.err, s.takes
	s.mu.Unlock()
	if !background.Wait(ctx, takes) {
		return 0, time.Time{}, ctx.Err()
	}

	return version, time.Now().Add(time.Hour), err
}

func (s *store) readContent(ctx context.Context, latest *string) (background.Snapshot[string], error) {
	s.mu.Lock()
	s.reads++
	content, version, err, takes := s.content, s.version, s.err, s.takes
	if latest != nil {
		content += " after " + *latest
	}

	s.mu.Unlock()
	if !background.Wait(ctx, takes) {
		return background.Snapshot[string]{}, ctx.Err()
	}

	return background.Snapshot[string]{Content: &content, Version: version, At: time.Now()}, err
}

func follow(s *store) *background.Follower[string] {
	return background.NewFollower(background.FollowerConfig[string]{
		ReadVersion: s.readVersion,
		ReadContent: s.readContent,
		Interval:    time.Second,
		ReadTimeout: 2 * time.Second,
		MaxAge:      5 * time.Second,
		Now:         time.Now,
		Published:   func(_ context.Context, content *string) { s.published = append(s.published, *content) },
		Lost:        func(err error) { s.health = append(s.health, "lost: "+err.Error()) },
		Found: func(again bool) {
			s.health = append(s.health, map[bool]string{false: "found", true: "found again"}[again])
		},
	})
}

func counts(f *background.Follower[string]) [3]int64 {
	return [3]int64{f.Refreshes.Unchanged.Load(), f.Refreshes.Changed.Load(), f.Refreshes.Failed.Load()}
}

func TestAFollowerReadsEverythingOnlyAfterAChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{version: 1, content: "a"}
		f := follow(s)
		require.Nil(t, f.Latest())
		require.False(t, f.IsFresh(nil, time.Now()))
		_, known := f.Age()
		require.False(t, known)

		f.Start(t.Context())
		pass(10 * time.Second)
		s.set(2, "b", nil)
		pass(time.Second)
		f.Stop()

		require.Equal(t, [3]int64{10, 2, 0}, counts(f))
		require.Equal(t, []string{"a", "b after a"}, s.published)
		require.Equal(t, []string{"found"}, s.health)
		require.Equal(t, background.Snapshot[string]{Content: f.Latest().Content, Version: 2, AsOf: time.Now(), At: time.Now()}, *f.Latest())
	})
}

// A confirmed copy is as old as the question for its version.
func TestAnUnchangedVersionMakesTheCopyYounger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{takes: 300 * time.Millisecond}
		f := follow(s)
		require.NoError(t, f.Refresh(t.Context()))
		pass(time.Minute)
		require.False(t, f.IsFresh(f.Latest(), time.Now()))

		f.Start(t.Context())
		pass(s.takes)
		require.True(t, f.IsFresh(f.Latest(), time.Now()))
		age, _ := f.Age()
		require.Equal(t, s.takes, age)
		require.Equal(t, time.Now().Add(time.Hour), f.Latest().At)
		require.Equal(t, 1, s.reads)
		f.Stop()
	})
}

// The store that comes back may be a restored one, with other content under the same version.
func TestAfterAnOutageEverythingIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{version: 7, content: "a"}
		f := follow(s)
		f.Start(t.Context())
		pass(time.Second)
		s.set(7, "a", errAway)
		pass(5 * time.Second)
		require.True(t, f.IsFresh(f.Latest(), time.Now()), "to the end of its age")
		pass(1)
		require.False(t, f.IsFresh(f.Latest(), time.Now()))

		s.set(6, "restored", nil)
		pass(time.Second)
		f.Stop()
		require.Equal(t, "restored after a", *f.Latest().Content)
		require.Equal(t, [3]int64{1, 2, 5}, counts(f))
		require.Equal(t, []string{"found", "lost: " + errAway.Error(), "found again"}, s.health)
	})
}

func TestToBeStoppedIsNotAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{takes: time.Hour}
		f := follow(s)
		f.Start(t.Context())
		synctest.Wait()
		f.Stop()
		require.Equal(t, [3]int64{}, counts(f))
		require.Empty(t, s.health)

		require.ErrorIs(t, f.Refresh(t.Context()), context.DeadlineExceeded)
		require.Equal(t, [3]int64{0, 0, 1}, counts(f), "a store that does not answer has failed")
	})
}

// Of refreshes that overtake each other, the one that was asked for later stays.
func TestALateAnswerDoesNotUndoANewerOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{version: 1, content: "old", takes: time.Second}
		f := follow(s)
		var late sync.WaitGroup
		late.Go(func() {
			if err := f.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
		})
		pass(100 * time.Millisecond)
		s.mu.Lock()
		s.version, s.content, s.takes = 2, "new", 0
		s.mu.Unlock()
		require.NoError(t, f.Refresh(t.Context()))
		late.Wait()
		require.Equal(t, "new", *f.Latest().Content)
		require.Equal(t, []string{"new"}, s.published)
	})
}
