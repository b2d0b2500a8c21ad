package eventtype_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// outage is a store that can be down.
type outage struct {
	registered

	away atomic.Bool
}

func (o *outage) ReadRevision(ctx context.Context) (int64, error) {
	if o.away.Load() {
		return 0, errors.New("no answer")
	}

	return o.registered.ReadRevision(ctx)
}

func (o *outage) ReadSnapshot(ctx context.Context) (eventtype.Snapshot, error) {
	if o.away.Load() {
		return eventtype.Snapshot{}, errors.New("no answer")
	}

	return o.registered.ReadSnapshot(ctx)
}

// The log has one line when types cannot be read, and one when they are read again.
func TestAnOutageIsLoggedWithItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, log := observer.New(zap.InfoLevel)
		store := &outage{}
		d := eventtype.NewCache(eventtype.Accept, eventtype.CacheDeps{Store: store, Logger: zap.New(core), Now: time.Now})
		require.NoError(t, d.Refresh(t.Context()))
		d.Start(t.Context())
		defer d.Stop()

		wait := func() {
			const rounds = 10 * time.Second
			<-time.After(rounds)
			synctest.Wait()
		}
		wait()
		require.Zero(t, log.Len())
		store.away.Store(true)
		wait()
		store.away.Store(false)
		wait()
		said := []string{}
		for _, entry := range log.All() {
			said = append(said, entry.Message)
		}

		require.Equal(t, []string{"event types cannot be read; ingest fails once the cache is too old", "event types are read again"}, said)
	})
}
