package httpapi_test

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// Erasures of many sessions race with replays of all of them: whichever comes first, nothing of
// a session is left at the end, and neither makes the other fail.
func TestReplaysRaceWithErasures(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	name := registerStrictType(t, s)
	sessions := make([]string, 20)
	for i := range sessions {
		sessions[i] = newID()
	}

	for range 6 { // the events of a session lie far apart
		var batch []string
		for range 5 {
			for i, session := range sessions {
				changes := []any{"name", name}
				if i%2 == 0 {
					changes = append(changes, "event_id", newID())
				}

				batch = append(batch, newEvent(t, session, changes...))
			}
		}

		require.Equal(t, http.StatusBadRequest, s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", batchOf(batch...)).Status)
	}

	setType(t, s, name, `{}`)
	var racing sync.WaitGroup
	for range 3 {
		racing.Go(func() {
			answer, err := s.Try(context.Background(), http.MethodPost, "/v1/errors/replay", []byte(`{"all":true}`))
			if assert.NoError(t, err) {
				assert.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
			}
		})
	}

	for half := range 2 {
		racing.Go(func() {
			for i := half; i < len(sessions); i += 2 {
				answer, err := s.Try(context.Background(), http.MethodDelete, "/v1/sessions/"+sessions[i], nil)
				if assert.NoError(t, err) {
					assert.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
				}
			}
		})
	}

	racing.Wait()
	require.EqualValues(t, len(sessions), tableCount(t, s, "session where erased_at is not null and event_count = 0"))
	for _, table := range []string{"event", "rejection"} {
		require.Zero(t, tableCount(t, s, table), table)
	}

	require.Zero(t, tableCount(t, s, "event_key k where not exists (select from event_amendment a where a.event_id = k.event_id and a.erased_at is not null)"),
		"an id that is left is that of an event that was erased")
	waitQuiet(t, s)
}

// Values that marks removed from the kept text do not come back by a replay, are not missed by
// the schema, and leave the event equal to the one that its sender sends again.
func TestReplayOfWhatIsMarked(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	name := newID()
	session := newID()
	own := newID()
	const marks = `"properties":{"email":{"type":"string","x-theeye":"hash"},"card":{"type":"integer","x-theeye":"mask"},"address":{"type":"string","x-theeye":"drop"}}`
	setType(t, s, name, `{"type":"object","required":["url"],`+marks+`}`)
	sender, clear := s.WithKey(s.Ingest), map[string]any{"email": canary, "card": 4929, "address": canary, "n": 1}
	whole := newEvent(t, session, "name", name, "event_id", own, "data", clear)
	postRejected(t, sender, whole)
	setType(t, s, name, `{"type":"object","required":["email","card","address"],`+marks+`}`)
	require.Equal(t, newTotals(1, 1, 0, 0, 0), replayErrors(t, s.Client, `{"all":true,"dry_run":true}`))
	require.Equal(t, newTotals(1, 1, 0, 0, 0), replayErrors(t, s.Client, `{"all":true}`))
	require.Zero(t, tableCount(t, s, "event e where e::text like '%"+canary+"%'"))
	require.Zero(t, tableCount(t, s, "rejection r where convert_from(raw, 'UTF8') like '%"+canary+"%'"))
	answer := sender.Do(t, http.MethodPost, "/v1/events", whole)
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	require.Equal(t, "duplicate", answer.JSON(t)["status"], "it is the same event, by either way")

	// Marks that were made only after the rejection are applied by the replay.
	later := newID()
	setType(t, s, later, `{"type":"object","required":["url"]}`)
	postRejected(t, sender, newEvent(t, session, "name", later, "data", clear))
	setType(t, s, later, `{"type":"object",`+marks+`}`)
	require.Equal(t, newTotals(1, 1, 0, 0, 0), replayErrors(t, s.Client, `{"name":"`+later+`"}`))
	require.EqualValues(t, 1, tableCount(t, s, "event where name = $1", later))
	require.Zero(t, tableCount(t, s, "event e where e::text like '%"+canary+"%'"))
}
