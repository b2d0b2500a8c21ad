//go:build browser

package browsertest_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// testbed is what the tests of one group share: a service with its database, a site, and a
// Chromium.
type testbed struct {
	service *apptest.Service
	pool    *pgxpool.Pool
	site    *site
	driver  *driver
	// key is the public key of the site.
	key string
}

// openTestbed opens a testbed until the test ends.
func openTestbed(t *testing.T) *testbed {
	t.Helper()
	b := &testbed{service: apptest.Start(t, nil), site: startSite(t)}
	b.pool = b.service.Database.Pool(t)
	b.driver = startDriver(t)
	b.key = b.service.Ingest

	return b
}

// stage is what one test has for itself: a front, and so the events that went through it.
type stage struct {
	*testbed

	front *front
}

// openStage opens a stage until the test ends.
func (b *testbed) openStage(t *testing.T) *stage {
	t.Helper()

	return &stage{testbed: b, front: startFront(t, b.service.URL)}
}

// play plays a scene of the driver on this stage.
func (s *stage) play(t *testing.T, scene string, with map[string]any, saw any) {
	t.Helper()
	all := map[string]any{
		"eye":   s.front.URL,
		"key":   s.key,
		"site":  s.site.origin("site.localhost"),
		"other": s.site.origin("other.localhost"),
		"plain": s.site.origin("plain.test"),
	}
	maps.Copy(all, with)
	s.driver.play(t, scene, all, saw)
}

// storedEvent is an event in the database.
type storedEvent struct {
	EventID   string
	SessionID string
	Category  string
	Name      string
	Data      map[string]any
	Timestamp time.Time
}

// stored returns the events in the database that browsers sent through the front, by their time.
func (s *stage) stored(t *testing.T) []storedEvent {
	t.Helper()
	var ids []string
	for _, event := range s.front.sentEvents() {
		ids = append(ids, event.EventID)
	}

	const statement = `
		select event_id::text, session_id::text, category, name, data, "timestamp"
		from event where event_id = any($1::text[]::uuid[]) order by "timestamp", sequence`
	rows, err := s.pool.Query(context.Background(), statement, ids)
	require.NoError(t, err)
	events, err := pgx.CollectRows(rows, pgx.RowToStructByPos[storedEvent])
	require.NoError(t, err)

	return events
}

// storedIDs returns the ids of the events in the database.
func (s *stage) storedIDs(t *testing.T) []string {
	t.Helper()
	ids := []string{}
	for _, event := range s.stored(t) {
		ids = append(ids, event.EventID)
	}

	return ids
}

// named returns the events with a category and a name.
func named(events []storedEvent, category, name string) []storedEvent {
	var found []storedEvent
	for _, event := range events {
		if event.Category == category && event.Name == name {
			found = append(found, event)
		}
	}

	return found
}
