package postgres_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

// A rejected event whose text names a locked session does not wait. Its text is kept, unless an
// erasure holds the lock.
func TestTextThatNamesALockedSession(t *testing.T) {
	t.Parallel()
	for name, erasing := range map[string]bool{"an edit": false, "an erasure": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			c := collector(t, b.store, 1)
			session := uuid.New()
			submit(t, c, request(shop, envelope(session, time.Now().Add(-time.Hour))))
			if erasing {
				_, err := postgres.NewErasureStore(b.db).BeginErasure(t.Context(), erasure.Request{SessionIDs: []uuid.UUID{session}})
				require.NoError(t, err)
			}

			holdLocks(t, b, "select from session where session_id = $1 for update", session)

			rejected := event.Envelope{Raw: []byte(`{"about":"` + session.String() + `"}`), Violations: []fault.Violation{{Code: fault.CodeMissingField, Detail: "missing"}}}
			verdicts := submit(t, c, request(blog, rejected, envelope(uuid.New(), time.Now().Add(-time.Hour))))
			require.Equal(t, []ingest.Status{ingest.Rejected, ingest.Stored}, statuses(verdicts))
			kept := 1
			if erasing {
				kept = 0
			}

			require.Equal(t, kept, count(t, b, "rejection where raw is not null"))
		})
	}
}
