package k6_test

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// Enough for sessions that end, pages that follow one another and duplicates.
const (
	users      = 3
	iterations = 12
)

// against are the variables of a run against a service.
func against(url, ingestKey, readKey string) map[string]string {
	return map[string]string{
		"THEEYE_URL": url, "THEEYE_INGEST_KEY": ingestKey, "THEEYE_READ_KEY": readKey,
		"BATCH": "20", "SESSIONS": "8", "PAGE": "7", "PAGES": "30", "RESEND_EVERY": "3",
	}
}

// identity is what of an event tells it apart.
type identity struct {
	ID        uuid.UUID `json:"event_id"`
	SessionID uuid.UUID `json:"session_id"`
	Sequence  int       `json:"sequence"`
}

// sent returns the events in the bodies of a run's requests, each once.
func (r *run) sent(t *testing.T) map[uuid.UUID]uuid.UUID {
	t.Helper()
	sessions := map[uuid.UUID]uuid.UUID{}
	for _, made := range r.requests {
		if made.body == "" {
			continue
		}
		list := made.body
		if !strings.HasPrefix(list, "[") {
			list = "[" + list + "]"
		}
		var events []identity
		require.NoError(t, json.Unmarshal([]byte(list), &events))
		for _, e := range events {
			require.EqualValues(t, 7, e.ID.Version(), "%s", e.ID)
			require.Equal(t, uuid.RFC4122, e.ID.Variant())
			sessions[e.ID] = e.SessionID
		}
	}
	return sessions
}

// stored returns all events of a service, in the order of their sequences.
func stored(t *testing.T, service *apptest.Service) (events []identity) {
	t.Helper()
	answer := service.WithKey(service.ReadAll).Do(t, http.MethodGet, "/v1/events", "", "Accept", "application/x-ndjson")
	require.Equal(t, http.StatusOK, answer.Status)
	for line := range strings.Lines(string(answer.Body)) {
		var e identity
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b identity) int { return a.Sequence - b.Sequence })
	return events
}

// requireExactlyOnce holds what is stored against what was sent: each event once, in
// its session, and the sequences of a session without gap or repeat.
func requireExactlyOnce(t *testing.T, service *apptest.Service, r *run) {
	t.Helper()
	sent, last := r.sent(t), map[uuid.UUID]int{}
	events := stored(t, service)
	require.NotEmpty(t, events)
	require.Len(t, events, len(sent))
	for _, e := range events {
		session, ok := sent[e.ID]
		require.True(t, ok, "%s was never sent, or is stored twice", e.ID)
		delete(sent, e.ID)
		require.Equal(t, session, e.SessionID)
		require.Equal(t, last[session]+1, e.Sequence)
		last[session] = e.Sequence
	}
	require.Greater(t, len(last), 1, "all of it is one session")
	gaps, err := apptest.FindGaps(context.Background(), service.Database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, gaps)
}

// requireNamed holds that every threshold is about requests that were made: k6
// passes a bound over nothing, and a tag that nobody sets is a bound that never
// fails.
func requireNamed(t *testing.T, r *run, script string) {
	t.Helper()
	o, _, err := optionsOf(t, script, r.env)
	require.NoError(t, err)
	names := map[string]bool{}
	for _, made := range r.requests {
		names[made.name] = true
	}
	tag := regexp.MustCompile(`\{name:(\w+)\}$`)
	bounded := map[string]bool{"seed": names["seed"]}
	for threshold := range o.Thresholds {
		if parts := tag.FindStringSubmatch(threshold); parts != nil {
			require.True(t, names[parts[1]], "no request was named %s", parts[1])
			bounded[parts[1]] = true
		}
	}
	for name := range names {
		require.True(t, bounded[name], "requests named %q have no bound", name)
	}
}

func TestEveryScriptPassesAgainstTheService(t *testing.T) {
	t.Parallel()
	for _, script := range scripts() {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			service := apptest.Start(t, nil)
			r := load(t, script, against(service.URL, service.Ingest, service.Read))
			require.NoError(t, r.execute(users, iterations))

			require.Empty(t, r.failedChecks())
			require.Empty(t, r.failedRequests())
			require.NotEmpty(t, r.checks)
			for _, made := range r.requests {
				require.Equal(t, 2, made.status/100, "%+v", made)
			}
			requireExactlyOnce(t, service, r)
			requireNamed(t, r, script)
			require.Len(t, stored(t, service), int(r.counters["events_stored"]))
		})
	}
}

// times tells how often a request of a name was made, and of those how often with
// some text in its path.
func (r *run) times(name, text string) (all, with int) {
	for _, made := range r.requests {
		if made.name == name {
			all++
			if strings.Contains(made.path, text) {
				with++
			}
		}
	}
	return all, with
}

func TestQuestionsFollowCursors(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	env := against(service.URL, service.Ingest, service.Read)
	env["PAGE"], env["PAGES"] = "3", "2"
	r := load(t, "query", env)
	require.NoError(t, r.execute(1, 4))
	require.Empty(t, r.failedChecks())
	for _, name := range []string{"pages", "sessions"} {
		all, further := r.times(name, "cursor=")
		require.Equal(t, []int{8, 4}, []int{all, further}, "two pages, however many there are: %s", name)
	}
}

func TestSoakSendsAgainWhatIsStored(t *testing.T) {
	t.Parallel()
	service := apptest.Start(t, nil)
	r := load(t, "soak", against(service.URL, service.Ingest, ""))
	require.NoError(t, r.execute(users, iterations))
	again, _ := r.times("resend", "")
	require.Equal(t, users*iterations/3, again)
	require.Equal(t, tally{passes: again}, r.checks["resend: verdict is duplicate"])
	require.Equal(t, tally{passes: again}, r.checks["resend: sequence is the one of the first time"])
	require.Len(t, stored(t, service), users*iterations)
}
