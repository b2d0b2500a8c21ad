package access_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
)

var errAway = errors.New("the store is down")

// fakeStore is a store whose content and outages a test controls.
type fakeStore struct {
	mu       sync.Mutex
	snapshot access.Snapshot
	err      error
	hang     bool // until the caller gives up

	clock func() time.Time // nil is time.Now

	versions, snapshots atomic.Int64
	// entered receives a value for each requested snapshot, which then waits for a
	// value on leave. Both are nil unless a test delays snapshots.
	entered, leave chan struct{}
}

func (s *fakeStore) change(to func(*access.Snapshot)) {
	s.mu.Lock()
	defer s.mu.Unlock()

	// Snapshots returned before stay unchanged.
	s.snapshot.Applications = append([]access.Application(nil), s.snapshot.Applications...)
	s.snapshot.Keys = append([]access.HashedKey(nil), s.snapshot.Keys...)
	to(&s.snapshot)
	s.snapshot.Version++
}

func (s *fakeStore) goAway(err error, hang bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.err, s.hang = err, hang
}

func (s *fakeStore) comeBack() { s.goAway(nil, false) }

func (s *fakeStore) read(ctx context.Context) (access.Snapshot, error) {
	s.mu.Lock()
	snapshot, err, hang := s.snapshot, s.err, s.hang
	snapshot.At = time.Now()
	if s.clock != nil {
		snapshot.At = s.clock()
	}

	s.mu.Unlock()
	if hang {
		<-ctx.Done()
		return access.Snapshot{}, ctx.Err()
	}

	return snapshot, err
}

func (s *fakeStore) ReadVersion(ctx context.Context) (version int64, at time.Time, err error) {
	s.versions.Add(1)
	snapshot, err := s.read(ctx)
	return snapshot.Version, snapshot.At, err
}

func (s *fakeStore) ReadSnapshot(ctx context.Context) (access.Snapshot, error) {
	s.snapshots.Add(1)
	snapshot, err := s.read(ctx)
	if s.entered != nil {
		s.entered <- struct{}{}
		<-s.leave
	}

	return snapshot, err
}

// add makes a key of an application and returns its text.
func (s *fakeStore) add(t testing.TB, application access.Application, edit func(*access.HashedKey)) string {
	t.Helper()
	text, id, hash, err := access.NewKey(chaosOf(application.Name), false)
	require.NoError(t, err)
	key := access.HashedKey{
		Key:           access.Key{ID: id, Application: application.Name, Scopes: []access.Scope{access.ScopeIngest}},
		ApplicationID: application.ID, Hash: hash,
	}
	if edit != nil {
		edit(&key)
	}

	s.change(func(snapshot *access.Snapshot) {
		snapshot.Applications = append(snapshot.Applications, application)
		snapshot.Keys = append(snapshot.Keys, key)
	})
	return text
}
