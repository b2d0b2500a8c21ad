package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	one, two := newTenant(t, s), newTenant(t, s)
	// Seven sessions, of which two pairs began at the same moment, newest first.
	starts := []string{"2021-07-01", "2021-05-01", "2021-05-01", "2021-03-01", "2021-02-01", "2021-02-01", "2021-01-01"}
	ids := make([]string, len(starts))
	for i, day := range starts {
		ids[i] = newID()
		from := []tenant{one, two}[i%2]
		mustPost(t, from.Ingest, batchOf(
			newEvent(t, ids[i], "timestamp", day+" 12:00:00"), newEvent(t, ids[i], "timestamp", day+" 10:00:00"), newEvent(t, ids[i], "timestamp", day+" 11:00:00"),
		))
		requireSession(t, s, ids[i], 3, day+"T10:00:00.000000Z", day+"T12:00:00.000000Z", from.Name)
	}

	for i := 1; i < len(ids); i++ { // ties are ordered by id
		if starts[i-1] == starts[i] && ids[i-1] < ids[i] {
			ids[i-1], ids[i] = ids[i], ids[i-1]
		}
	}

	mustPost(t, two.Ingest, newEvent(t, ids[0], "timestamp", "2021-08-01 00:00:00"))
	requireSession(t, s, ids[0], 4, "2021-07-01T10:00:00.000000Z", "2021-08-01T00:00:00.000000Z", one.Name, two.Name)
	mine := func(own tenant) []string {
		return column(t, mustGet(t, own.Read, "/v1/sessions")["sessions"], "session_id")
	}
	for query, expected := range map[string][]string{
		"": ids, "from=2021-02-01": ids[:6], "from=2021-02-01T10:00:00Z": ids[:6], "from=2021-02-01T10:00:00.000001Z": ids[:4],
		"to=2021-02-01T10:00:00Z": ids[6:], "to=2021-02-02": ids[4:], "from=2021-03-01&to=2021-06-01": ids[1:4],
		"application=" + one.Name: mine(one), "application=" + two.Name: mine(two), "application=nobody": {},
	} {
		for _, limit := range []string{"1", "3", "1000"} {
			got, _ := pages(t, s.Client, "/v1/sessions?limit="+limit+"&"+query, "sessions")
			require.Equal(t, expected, got, query)
		}
	}

	both := append(mine(one), mine(two)...)
	slices.Sort(both)
	require.Len(t, both, 8)
	require.Len(t, slices.Compact(both), 7)
	require.Equal(t, mustGet(t, s.Client, "/v1/sessions/"+ids[3]), at[any](t, mustGet(t, s.Client, "/v1/sessions"), "sessions", 3))
	require.Equal(t, ids[3], mustGet(t, s.Client, "/v1/sessions/"+strings.ToUpper(ids[3]))["session_id"])
	timeline := mustGet(t, s.Client, "/v1/sessions/"+ids[1]+"/events")
	require.Equal(t, []string{"1", "2", "3"}, column(t, timeline["events"], "sequence"))
	require.Equal(t, []string{"3", "2", "1"}, column(t, mustGet(t, s.Client, "/v1/sessions/"+ids[1]+"/events?order=desc")["events"], "sequence"))
}

// TestOneSessionAtOnce lets many senders of two applications write to one session.
func TestOneSessionAtOnce(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	one, two := newTenant(t, s), newTenant(t, s)
	session, id := newID(), newID()
	const senders = 40
	verdicts := make(chan *apptest.Answer, senders)
	for i := range senders {
		from := []tenant{one, two}[i%2]
		body := batchOf(
			newEvent(t, session, "name", fmt.Sprint(i), "timestamp", fmt.Sprintf("2021-01-01 00:00:%02d", i)),
			newEvent(t, session, "event_id", id),
		)
		go func() {
			answer, _ := from.Ingest.Try(t.Context(), http.MethodPost, "/v1/events", []byte(body))
			verdicts <- answer
		}()
	}

	duplicates := 0
	for range senders {
		answer := <-verdicts
		require.NotNil(t, answer)
		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
		if at[string](t, answer.JSON(t), "results", 1, "status") == "duplicate" {
			duplicates++
		}
	}

	require.Equal(t, senders-1, duplicates)
	got := column(t, mustGet(t, s.Client, "/v1/sessions/"+session+"/events")["events"], "sequence")
	want := make([]string, senders+1)
	for i := range want {
		want[i] = fmt.Sprint(i + 1)
	}

	require.ElementsMatch(t, want, got)
	requireSession(t, s, session, senders+1, "2021-01-01T00:00:00.000000Z", happenedAt, one.Name, two.Name)
}
