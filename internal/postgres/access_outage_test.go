package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// While the database is down, a revocation cannot be seen: keys are rejected until it is back,
// and then accepted again without a restart.
func TestAccessSurvivesADatabaseThatIsKilledOrFrozen(t *testing.T) {
	t.Parallel()
	database := pgtest.NewDedicated(t)
	server := database.Server()
	r := newReplica(t, database, false)
	r.create(t, "shop")
	key := r.key(t, "shop", access.ScopeIngest)
	cache := access.NewCache(access.Config{Refresh: 50 * time.Millisecond, MaxAge: 1500 * time.Millisecond},
		access.Deps{Store: r.store, Logger: zap.NewNop(), Now: time.Now})
	cache.Start(t.Context())
	t.Cleanup(cache.Stop)
	answers := func(code fault.Code) {
		t.Helper()
		require.Eventually(t, func() bool {
			_, err := cache.Authenticate(key.Text)
			return codeOf(err) == code
		}, time.Minute, 5*time.Millisecond)
	}
	answers("")

	require.NoError(t, server.Kill())
	answers(fault.CodeUnavailable)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	require.NoError(t, server.Restart(ctx))
	answers("")

	require.NoError(t, server.Freeze())
	answers(fault.CodeUnavailable)
	require.NoError(t, server.Thaw())
	answers("")

	require.NoError(t, r.registry.RevokeKey(t.Context(), "shop", key.ID))
	answers(fault.CodeUnauthorized)
}
