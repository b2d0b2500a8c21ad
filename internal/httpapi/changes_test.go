package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// readChanges continues from a cursor until so many events have come: transactions of other
// tests on the same server hold the watermark back.
func readChanges(t testing.TB, c *apptest.Client, query, after string, count int) (ids []string, next string) {
	t.Helper()
	ids = []string{}
	for len(ids) < count {
		path := "/v1/events/changes?" + query
		if after != "" {
			path += "&after=" + after
		}

		page := mustGet(t, c, path)
		ids = append(ids, column(t, page["events"], "event_id")...)
		after = at[string](t, page, "next")
	}

	return ids, after
}

func TestChanges(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	own, other := newTenant(t, s), newTenant(t, s)
	empty := mustGet(t, s.Client, "/v1/events/changes")
	require.Empty(t, empty["events"])
	require.Equal(t, false, empty["more"])
	begin := at[string](t, empty, "next")
	var mine, all []string
	for i := range 12 {
		from := []tenant{own, other}[i%2]
		id := at[string](t, mustPost(t, from.Ingest, newEvent(t, newID(), "name", fmt.Sprint("n", i%3), "timestamp", fmt.Sprintf("2021-01-01 09:%02d:00", 59-i))), "event_id")
		all = append(all, id)
		if i%2 == 0 {
			mine = append(mine, id)
		}
	}

	for _, limit := range []string{"limit=1", "limit=5", "limit=1000"} {
		got, next := readChanges(t, s.Client, limit, begin, len(all))
		require.Equal(t, all, got, "in the order of their commits")
		got, _ = readChanges(t, own.Read, limit, "", len(mine))
		require.Equal(t, mine, got, "a key of one application sees its own events")
		require.Empty(t, mustGet(t, s.Client, "/v1/events/changes?"+limit+"&after="+next)["events"])
	}

	got, _ := readChanges(t, s.Client, "name=n1&category=page&application="+own.Name, "", 2)
	require.Equal(t, []string{all[4], all[10]}, got)

	t.Run("a stream", func(t *testing.T) {
		t.Parallel()
		answer := s.Do(t, http.MethodGet, "/v1/events/changes", "", "Accept", lineType)
		require.Equal(t, http.StatusOK, answer.Status)
		require.Equal(t, lineType, answer.Header.Get("Content-Type"))
		lines := strings.Split(strings.TrimSuffix(string(answer.Body), "\n"), "\n")
		require.Len(t, lines, len(all)+1)
		for i, id := range all {
			require.Equal(t, id, (&apptest.Answer{Body: []byte(lines[i])}).JSON(t)["event_id"])
		}

		mark := (&apptest.Answer{Body: []byte(lines[len(all)])}).JSON(t)
		require.Equal(t, false, mark["more"])
		require.Empty(t, mustGet(t, s.Client, "/v1/events/changes?after="+at[string](t, mark, "next"))["events"])
		limited := s.Do(t, http.MethodGet, "/v1/events/changes?limit=5", "", "Accept", lineType)
		require.Equal(t, 6, strings.Count(string(limited.Body), "\n"))
		require.Contains(t, string(limited.Body), `"more":true`)
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		_, next := readChanges(t, s.Client, "limit=5", "", 1)
		for _, query := range []string{"after=x", "after=" + next + "A", "name=n1&after=" + next} {
			for _, media := range []string{"application/json", lineType} {
				problem := requireProblem(t, s.Do(t, http.MethodGet, "/v1/events/changes?"+query, "", "Accept", media), http.StatusBadRequest, "invalid_cursor")
				require.Equal(t, []string{"?after invalid_cursor"}, reasons(t, problem))
			}
		}

		requireProblem(t, own.Read.Do(t, http.MethodGet, "/v1/events/changes?after="+next, ""), http.StatusBadRequest, "invalid_cursor")
		requireProblem(t, s.Do(t, http.MethodGet, "/v1/events?cursor="+next, ""), http.StatusBadRequest, "invalid_cursor")
		requireProblem(t, own.Read.Do(t, http.MethodGet, "/v1/events/changes?application="+other.Name, ""), http.StatusBadRequest, "forbidden")
		requireProblem(t, s.Do(t, http.MethodGet, "/v1/events/changes?from=2021-01-01", ""), http.StatusBadRequest, "unknown_parameter")
		requireProblem(t, s.Do(t, http.MethodGet, "/v1/events/changes", "", "Accept", "text/csv"), http.StatusNotAcceptable, "not_acceptable")
	})
}

// An application that does not exist has no changes.
func TestChangesOfNobody(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	require.Equal(t, http.StatusCreated, s.Do(t, http.MethodPost, "/v1/events", newEvent(t, newID())).Status)
	answer := s.Do(t, http.MethodGet, "/v1/events/changes?application=nobody", "")
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	require.Empty(t, answer.JSON(t)["events"])
}
