package eventtype_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// changing is a store whose types a test changes.
type changing struct {
	mu       sync.Mutex
	revision int64
	types    []eventtype.Type
	away     bool
}

func (c *changing) ReadRevision(context.Context) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return 0, context.DeadlineExceeded
	}
	return c.revision, nil
}

func (c *changing) ReadSnapshot(context.Context) (eventtype.Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return eventtype.Snapshot{}, context.DeadlineExceeded
	}
	return eventtype.Snapshot{Revision: c.revision, Types: c.types}, nil
}

func (c *changing) set(revision int64, away bool, types ...eventtype.Type) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revision, c.away, c.types = revision, away, types
}

// accepts says whether an empty payload fits the type.
func accepts(t *testing.T, d *eventtype.Cache) bool {
	t.Helper()
	envelopes := sent(t, `{}`)
	require.NoError(t, d.ValidatePayloads(envelopes, false))
	return envelopes[0].Accepted()
}

// A schema is compiled again when its type has a new version, and when the type was deleted and
// registered again, with the same version.
func TestAChangedTypeIsCompiledAgain(t *testing.T) {
	t.Parallel()
	lax := formType(`{}`, eventtype.Enforce)
	strict := formType(`{"required": ["email"]}`, eventtype.Enforce)
	newer, again := strict, strict
	newer.Version++
	again.CreatedAt = again.CreatedAt.Add(time.Second)
	for name, next := range map[string]eventtype.Type{"a new version": newer, "registered again": again} {
		store := &changing{revision: 1, types: []eventtype.Type{lax}}
		d := eventtype.NewCache(eventtype.Accept, eventtype.CacheDeps{Store: store, Logger: zap.NewNop(), Now: time.Now})
		require.NoError(t, d.Refresh(t.Context()))
		require.True(t, accepts(t, d), name)
		store.set(2, false, next)
		require.NoError(t, d.Refresh(t.Context()))
		require.False(t, accepts(t, d), name)
	}
}

// A schema that this release cannot use does not replace one that it could.
func TestASchemaThatCannotBeUsedLeavesTheOneBefore(t *testing.T) {
	t.Parallel()
	strict, unusable := formType(`{"required": ["email"]}`, eventtype.Enforce), formType(`{"type": "nonsense"}`, eventtype.Enforce)
	unusable.Version++
	store := &changing{revision: 1, types: []eventtype.Type{strict}}
	d := eventtype.NewCache(eventtype.Accept, eventtype.CacheDeps{Store: store, Logger: zap.NewNop(), Now: time.Now})
	require.NoError(t, d.Refresh(t.Context()))
	store.set(2, false, unusable)
	require.NoError(t, d.Refresh(t.Context()))
	require.False(t, accepts(t, d))
}

// After an outage the database may be another one, restored from a backup, whose revision is
// the same by chance: everything is read.
func TestAfterAnOutageEverythingIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &changing{revision: 1, types: []eventtype.Type{formType(`{}`, eventtype.Enforce)}}
		d := eventtype.NewCache(eventtype.Accept, eventtype.CacheDeps{Store: store, Logger: zap.NewNop(), Now: time.Now})
		require.NoError(t, d.Refresh(t.Context()))
		d.Start(t.Context())
		defer d.Stop()
		wait := func() {
			<-time.After(3 * time.Second)
			synctest.Wait()
		}
		restored := formType(`{"required": ["email"]}`, eventtype.Enforce)
		restored.Version++
		store.set(1, true, restored)
		wait()
		store.set(1, false, restored)
		wait()
		require.False(t, accepts(t, d))
	})
}
