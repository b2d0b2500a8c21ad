//go:build browser

package browsertest_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// How long the tests wait for what has been sent to be stored, and how often they look.
const (
	patience = 20 * time.Second
	step     = 20 * time.Millisecond
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
func openTestbed(t testing.TB) *testbed {
	t.Helper()
	b := &testbed{site: startSite(t)}
	database := pgtest.New(t)
	b.key = makePublicKey(t, database, b.site.origins())
	b.service = apptest.StartOn(t, database, nil)
	b.pool = database.Pool(t)
	b.driver = startDriver(t)

	return b
}

// siteApplication is the application of the site.
const siteApplication = "site"

// makePublicKey makes the application of the site, and returns a public key of it.
func makePublicKey(t testing.TB, database *pgtest.Database, origins []string) string {
	t.Helper()
	var made access.CreatedKey
	ctx := context.Background()
	require.NoError(t, cli.WithAdmin(ctx, apptest.LoadConfig(t, database, nil), func(a *access.Registry) error {
		if _, err := a.CreateApplication(ctx, access.ApplicationSpec{Name: siteApplication, AllowedOrigins: origins}); err != nil {
			return err
		}

		var err error
		rate := access.MaxPublicRate // all browsers of a test have one address
		made, err = a.CreateKey(ctx, siteApplication, access.KeySpec{PublicUse: access.PublicUse{Public: true, RateLimit: &rate}})

		return err
	}))

	return made.Text
}

// anotherApplication is a second application whose pages are of the same site.
const anotherApplication = "another"

// keyOfAnother makes the second application, and returns a public key of it.
func (b *testbed) keyOfAnother(t *testing.T) string {
	t.Helper()
	origins, err := json.Marshal(b.site.origins())
	require.NoError(t, err)
	b.service.Do(t, http.MethodPost, "/v1/applications", `{"name": "`+anotherApplication+`", "allowed_origins": `+string(origins)+`}`)

	answer := b.service.Do(t, http.MethodPost, "/v1/applications/"+anotherApplication+"/keys", `{"public": true}`)
	var made access.CreatedKey
	require.NoError(t, json.Unmarshal(answer.Body, &made))

	require.Eventually(t, func() bool {
		answer := b.service.Do(t, http.MethodPost, collectPath+"?key="+made.Text, "[]", "Origin", b.site.origins()[0])
		return answer.Status != http.StatusUnauthorized && answer.Status != http.StatusForbidden
	}, patience, step)

	return made.Text
}

// applicationsOf returns the names of the applications that events were stored for, in the order of their times.
func (s *stage) applicationsOf(t *testing.T, ids []string) []string {
	t.Helper()
	const statement = `
		select a.name from event e join application a using (application_id)
		where e.event_id = any($1::text[]::uuid[]) order by e."timestamp"`
	rows, err := s.pool.Query(t.Context(), statement, ids)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)

	return names
}

// revokedKey returns a public key of the site that the service refuses by now.
func (b *testbed) revokedKey(t *testing.T) string {
	t.Helper()
	const keys = "/v1/applications/" + siteApplication + "/keys"
	answer := b.service.Do(t, http.MethodPost, keys, `{"public": true}`)
	var made access.CreatedKey
	require.NoError(t, json.Unmarshal(answer.Body, &made))
	b.service.Do(t, http.MethodDelete, keys+"/"+made.ID, "")

	require.Eventually(t, func() bool {
		answer := b.service.Do(t, http.MethodPost, collectPath+"?key="+made.Text, "[]", "Origin", b.site.origins()[0])
		return answer.Status == http.StatusUnauthorized
	}, 10*time.Second, 20*time.Millisecond)

	return made.Text
}

// stage is what one test has for itself: a front, and so the events that went through it.
type stage struct {
	*testbed

	front *front
}

// openStage opens a stage until the test ends.
func (b *testbed) openStage(t testing.TB) *stage {
	t.Helper()

	return &stage{testbed: b, front: startFront(t, b.service.URL)}
}

// play plays a scene of the driver on this stage.
func (s *stage) play(t testing.TB, scene string, with map[string]any, saw any) {
	t.Helper()
	all := map[string]any{
		"eye":   s.front.URL,
		"key":   s.key,
		"site":  s.site.origin("site.localhost"),
		"other": s.site.origin("other.localhost"),
		// Node knows no names below localhost.
		"notes": s.site.URL + "/notes",
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
	// received is when the service took it.
	received time.Time
}

// stored returns the events in the database that browsers sent through the front, by their time.
func (s *stage) stored(t require.TestingT) []storedEvent {
	var ids []string
	for _, event := range s.front.sentEvents() {
		ids = append(ids, event.EventID)
	}

	const statement = `
		select event_id::text, session_id::text, category, name, data, "timestamp", received_at
		from event where event_id = any($1::text[]::uuid[]) order by "timestamp", sequence`
	rows, err := s.pool.Query(context.Background(), statement, ids)
	require.NoError(t, err)
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e storedEvent, err error) {
		return e, row.Scan(&e.EventID, &e.SessionID, &e.Category, &e.Name, &e.Data, &e.Timestamp, &e.received)
	})
	require.NoError(t, err)

	return events
}

// storedIDs returns the ids of the events in the database.
func (s *stage) storedIDs(t require.TestingT) []string {
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
