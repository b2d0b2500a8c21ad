package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a store in memory that can be held up. Events with poison in their data cannot be
// stored, those with conflict in their data are in conflict.
type fake struct {
	mu     sync.Mutex
	groups []ingest.Group
	last   map[uuid.UUID]int64
	// entered receives a value when a commit begins, and the commit waits for one from proceed.
	// Nil: commits do not wait.
	entered chan int
	proceed chan error
	// locked are the sessions whose rows another transaction holds locked. Unnamed makes the
	// store report that a session is locked, and not which.
	locked  map[uuid.UUID]bool
	unnamed bool
}

var _ ingest.Store = (*fake)(nil)

func newFake() *fake { return &fake{last: map[uuid.UUID]int64{}} }

// newHeldFake makes a store whose commits wait for the test.
func newHeldFake() *fake {
	f := newFake()
	f.entered, f.proceed = make(chan int), make(chan error)
	return f
}

func (f *fake) Commit(ctx context.Context, group *ingest.Group) error {
	if f.entered != nil {
		select {
		case f.entered <- len(group.Items):
		case <-ctx.Done():
			return ctx.Err()
		}

		select {
		case err := <-f.proceed:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}

	if err := f.awaitLocks(group); err != nil {
		return err
	}

	f.mu.Lock()
	defer f.mu.Unlock()

	for _, item := range group.Items {
		if item.Envelope.Accepted() && bytes.Contains(item.Envelope.Event.Data, []byte("poison")) {
			return ingest.ErrNotStorable
		}
	}

	rejected := false
	for _, item := range group.Items {
		if item.Envelope.Accepted() && bytes.Contains(item.Envelope.Event.Data, []byte("conflict")) {
			rejected = true
			*item.Verdict = ingest.Verdict{
				Status: ingest.Conflict, EventID: item.Envelope.Event.ID, ErrorID: uuid.New(),
				Violations: []fault.Violation{{Code: fault.CodeEventIDConflict}},
			}
		}
	}

	if group.Atomic && rejected {
		return ingest.ErrAtomicRejected
	}

	f.groups = append(f.groups, ingest.Group{ID: group.ID, Items: append([]ingest.Item(nil), group.Items...), Atomic: group.Atomic})
	for _, item := range group.Items {
		if e := item.Envelope; e.Accepted() && item.Verdict.Status != ingest.Conflict {
			f.last[e.Event.SessionID]++
			*item.Verdict = ingest.Verdict{Status: ingest.Stored, EventID: e.Event.ID, Sequence: f.last[e.Event.SessionID]}
		}
	}

	return nil
}

// awaitLocks waits as long as a group does for a lock, and returns the locked sessions.
func (f *fake) awaitLocks(group *ingest.Group) error {
	f.mu.Lock()
	found := &ingest.LockedError{Sessions: map[uuid.UUID]bool{}, Err: errTest}
	held := false
	for _, item := range group.Items {
		if session := item.Envelope.Event.SessionID; f.locked[session] {
			held = true
			if !f.unnamed {
				found.Sessions[session] = true
			}
		}
	}

	f.mu.Unlock()
	if !held {
		return nil
	}

	<-time.After(max(group.LockWait, 10*time.Millisecond))
	return found
}

// lock locks or unlocks a session.
func (f *fake) lock(session uuid.UUID, locked bool) {
	f.mu.Lock()
	defer f.mu.Unlock()

	if f.locked == nil {
		f.locked = map[uuid.UUID]bool{}
	}

	f.locked[session] = locked
}

func (f *fake) DryRun(_ context.Context, group *ingest.Group) error {
	for _, item := range group.Items {
		if item.Envelope.Accepted() {
			item.Verdict.Status = ingest.Valid
		}
	}

	return nil
}

// sizes returns the number of items of each stored group.
func (f *fake) sizes() (sizes []int) {
	f.mu.Lock()
	defer f.mu.Unlock()

	for _, group := range f.groups {
		sizes = append(sizes, len(group.Items))
	}

	return sizes
}

// lastGroup is the id of the group that was stored last.
func (f *fake) lastGroup() ingest.GroupID {
	f.mu.Lock()
	defer f.mu.Unlock()

	return f.groups[len(f.groups)-1].ID
}

var errTest = errors.New("the test says no")

func config() ingest.Config {
	return ingest.Config{
		Budget: 5 * time.Second, GroupEvents: 100, GroupBytes: 1 << 20, QueueEvents: 1000, QueueBytes: 1 << 20, Lanes: 1,
	}
}

func newCollector(c ingest.Config, store ingest.Store) *ingest.Collector {
	return ingest.New(c, ingest.Deps{
		Store: store, Logger: zap.NewNop(), NewID: func() uuid.UUID { return uuid.Must(uuid.NewV7()) }, Now: time.Now,
	})
}

// started returns a collector that runs until the test ends.
func started(t *testing.T, c ingest.Config, store ingest.Store) *ingest.Collector {
	t.Helper()
	made := newCollector(c, store)
	made.Start(t.Context())
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		made.Stop(ended)
	})
	return made
}

func good(session uuid.UUID) event.Envelope {
	const all = event.FieldID | event.FieldSessionID | event.FieldCategory | event.FieldName | event.FieldData | event.FieldTimestamp
	return event.Envelope{Raw: []byte(`{"sent":1}`), Known: all, Event: event.Event{
		ID: uuid.New(), SessionID: session, Category: "page", Name: "view", Data: []byte(`{}`), Timestamp: time.Unix(1_600_000_000, 0).UTC(),
	}}
}

func with(data string) event.Envelope {
	e := good(uuid.New())
	e.Event.Data = []byte(data)
	return e
}

func request(envelopes ...event.Envelope) *ingest.Request {
	return &ingest.Request{ID: "test", Application: 1, Envelopes: envelopes}
}

// answer is the result of a Submit.
type answer struct {
	verdicts []ingest.Verdict
	err      error
}

// submitted submits a request on a goroutine of its own, and returns when every goroutine is
// blocked.
func submitted(t *testing.T, c *ingest.Collector, ctx context.Context, r *ingest.Request) <-chan answer { //nolint:revive // the test is first in every helper
	t.Helper()
	answers := make(chan answer, 1)
	go func() {
		verdicts, err := c.Submit(ctx, r)
		answers <- answer{verdicts, err}
	}()
	synctest.Wait()
	return answers
}

func requireUnavailable(t *testing.T, err error, code fault.Code) {
	t.Helper()
	f, ok := fault.As(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, fault.Unavailable, f.Kind)
	require.Equal(t, code, f.Code)
	require.GreaterOrEqual(t, f.RetryAfter, time.Second)
}

func statuses(verdicts []ingest.Verdict) (found []ingest.Status) {
	for _, v := range verdicts {
		found = append(found, v.Status)
	}

	return found
}
