package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// modelled is an event as the tests know it.
type modelled struct {
	id, session, category, name, application, timestamp string
	sequence                                            int
}

// model is the expected content of a service, with a query of its own.
type model struct {
	service  *apptest.Service
	tenants  []tenant
	sessions []string
	events   []modelled
}

// newModel stores 120 events with many equal timestamps, in requests of various sizes.
func newModel(t testing.TB) *model {
	t.Helper()
	s := apptest.Start(t, nil)
	m := &model{service: s, tenants: []tenant{newTenant(t, s), newTenant(t, s)}, sessions: []string{newID(), newID(), newID()}}
	for len(m.events) < 120 {
		n := len(m.events)
		m.add(t, 1+n%4, func(i int) modelled {
			i += n
			return modelled{
				session: m.sessions[i%3], category: []string{"page", "formé"}[i/2%2], name: []string{"view", "a&b=c"}[i/3%2],
				timestamp: fmt.Sprintf("2021-%02d-01T09:%02d:00.000000Z", 1+i%2, i*7%10),
			}
		})
	}

	return m
}

// add stores count events of one application and one session in a request.
func (m *model) add(t testing.TB, count int, make func(i int) modelled) {
	t.Helper()
	from := m.tenants[len(m.events)%2]
	batch := []modelled{}
	sent := []string{}
	for i := range count {
		e := make(i)
		e.id, e.application = newID(), from.Name
		batch = append(batch, e)
		sent = append(sent, newEvent(t, e.session, "event_id", e.id, "category", e.category, "name", e.name, "timestamp", e.timestamp))
	}

	results := at[[]any](t, mustPost(t, from.Ingest, batchOf(sent...)), "results")
	for i, result := range results {
		_, err := fmt.Sscan(fmt.Sprint(at[any](t, result, "sequence")), &batch[i].sequence)
		require.NoError(t, err)
	}

	m.events = append(m.events, batch...)
}

// ask returns the response that the contract requires, as ids.
func (m *model) ask(query url.Values, ascending bool) []string {
	found := []modelled{}
	for _, e := range m.events {
		matches := true
		for name, value := range map[string]string{"session_id": e.session, "category": e.category, "name": e.name, "application": e.application} {
			matches = matches && (!query.Has(name) || query.Get(name) == value)
		}

		matches = matches && (!query.Has("from") || e.timestamp >= query.Get("from")) && (!query.Has("to") || e.timestamp < query.Get("to"))
		if matches {
			found = append(found, e)
		}
	}

	slices.SortFunc(found, func(a, b modelled) int {
		order := strings.Compare(fmt.Sprintf("%s %06d %s", a.timestamp, a.sequence, a.id), fmt.Sprintf("%s %06d %s", b.timestamp, b.sequence, b.id))
		if ascending {
			return order
		}

		return -order
	})
	ids := []string{}
	for _, e := range found {
		ids = append(ids, e.id)
	}

	return ids
}

// pages reads a complete list page by page, by the Link header.
func pages(t testing.TB, c *apptest.Client, path, list string) (ids []string, count int) {
	t.Helper()
	ids = []string{}
	for path != "" {
		answer := c.Do(t, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, answer.Status, "%s: %s", path, answer.Body)
		ids = append(ids, column(t, answer.JSON(t)[list], strings.TrimSuffix(list, "s")+"_id")...)
		path = nextLink(t, answer)
		count++
	}

	return ids, count
}

func TestEventsAreFiltered(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	filters := url.Values{
		"session_id": {m.sessions[1]}, "category": {"formé"}, "name": {"a&b=c"}, "application": {m.tenants[1].Name},
		// Both bounds are times of events: from includes its event, to does not.
		"from": {"2021-01-01T09:02:00.000000Z"}, "to": {"2021-02-01T09:05:00.000000Z"},
	}
	names := slices.Sorted(maps.Keys(filters))
	seen := 0
	for set := range 1 << len(names) {
		query := url.Values{}
		for bit, name := range names {
			if set&(1<<bit) != 0 {
				query[name] = filters[name]
			}
		}

		for _, order := range []string{"", "asc", "desc"} {
			ascending := order == "asc" || (order == "" && query.Has("session_id"))
			want := m.ask(query, ascending)
			asked := maps.Clone(query)
			if order != "" {
				asked.Set("order", order)
			}

			asked.Set("limit", "1000")
			require.Equal(t, want, column(t, mustGet(t, m.service.Client, "/v1/events?"+asked.Encode())["events"], "event_id"), asked.Encode())
			seen += len(want)
			if set%3 != 0 {
				continue
			}

			asked.Set("limit", "7")
			got, count := pages(t, m.service.Client, "/v1/events?"+asked.Encode(), "events")
			require.Equal(t, want, got, asked.Encode())
			require.Equal(t, max(1, (len(want)+6)/7), count, "no page is empty or short")
		}
	}

	require.Greater(t, seen, 1000)

	t.Run("a session's timeline", func(t *testing.T) {
		t.Parallel()
		for _, query := range []url.Values{{}, {"category": {"page"}}, {"application": {m.tenants[0].Name}}, {"order": {"desc"}}, {"from": filters["from"], "to": filters["to"]}} {
			path := "/v1/sessions/" + m.sessions[2] + "/events?limit=7&" + query.Encode()
			descending := query.Get("order") == "desc"
			asked := maps.Clone(query)
			asked.Set("session_id", m.sessions[2])
			got, _ := pages(t, m.service.Client, path, "events")
			require.Equal(t, m.ask(asked, !descending), got)
		}
	})
	t.Run("times in all their forms", func(t *testing.T) {
		t.Parallel()
		want := m.ask(url.Values{"from": {"2021-02-01T09:05:00.000000Z"}}, false)
		for _, from := range []string{
			"2021-02-01T09:05:00Z", "2021-02-01%2009:05:00", "2021-02-01+09:05:00", "2021-02-01T10:05:00%2B01:00", "2021-02-01T10:05:00+01:00",
			"2021-02-01T08:05:00-01:00", "2021-02-01+10:05:00+01:00", "2021-02-01T09:04:59.999999999Z",
		} {
			if strings.Contains(from, "999") {
				from = "2021-02-01T09:04:59.999999Z"
			}

			require.Equal(t, want, column(t, mustGet(t, m.service.Client, "/v1/events?limit=1000&from="+from)["events"], "event_id"), from)
		}

		require.Equal(t, m.ask(url.Values{"from": {"2021-02"}}, false),
			column(t, mustGet(t, m.service.Client, "/v1/events?limit=1000&from=2021-02-01")["events"], "event_id"))
		require.Empty(t, mustGet(t, m.service.Client, "/v1/events?to=0001-01-01")["events"])
		require.Empty(t, mustGet(t, m.service.Client, "/v1/events?to=0001-01-01T00:00:00Z")["events"])
		require.Empty(t, mustGet(t, m.service.Client, "/v1/events?from=9999-12-31T23:59:59-23:59")["events"])
		require.Len(t, mustGet(t, m.service.Client, "/v1/events?from=0001-01-01T00:00:00%2B23:59")["events"], 100)
		require.Empty(t, mustGet(t, m.service.Client, "/v1/events?from=2021-01-01&to=2021-01-01")["events"])
	})
	t.Run("while new events arrive", func(t *testing.T) {
		t.Parallel()
		testPagesUnderWrites(t)
	})
}

// testPagesUnderWrites stores events before, after and at the position of the cursor between any
// two pages: no earlier event is missed or seen twice.
func testPagesUnderWrites(t *testing.T) {
	t.Helper()
	m := newModel(t)
	for _, order := range []string{"asc", "desc"} {
		before := m.ask(url.Values{}, order == "asc")
		got := []string{}
		for path := "/v1/events?limit=10&order=" + order; path != ""; {
			answer := m.service.Do(t, http.MethodGet, path, "")
			require.Equal(t, http.StatusOK, answer.Status)
			page := at[[]any](t, answer.JSON(t), "events")
			got = append(got, column(t, page, "event_id")...)
			last := at[string](t, page, len(page)-1, "timestamp")
			if path = nextLink(t, answer); path != "" {
				m.add(t, 3, func(i int) modelled {
					at := []string{last, "2021-01-01T00:00:00.000000Z", "2021-12-01T00:00:00.000000Z"}[i]
					return modelled{session: m.sessions[0], category: "late", name: "late", timestamp: at}
				})
			}

			if len(got) > 500 {
				break // events stored after the cursor keep coming
			}
		}

		counts := map[string]int{}
		for _, id := range got {
			counts[id]++
			require.Equal(t, 1, counts[id], "seen twice")
		}

		for _, id := range before {
			require.Equal(t, 1, counts[id], "missed")
		}
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	s := m.service
	s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", `[{},{}]`)
	cursors := map[string]string{}
	for _, path := range []string{"/v1/events?limit=1", "/v1/sessions?limit=1", "/v1/errors?limit=1"} {
		cursor := at[string](t, mustGet(t, s.Client, path), "next_cursor")
		require.Regexp(t, `^[A-Za-z0-9_-]+$`, cursor)
		cursors[path] = cursor
		mustGet(t, s.Client, path+"&cursor="+cursor)
		for i := range cursor {
			other := "A"
			if cursor[i] == 'A' {
				other = "B"
			}

			altered := cursor[:i] + other + cursor[i+1:]
			requireProblem(t, s.Do(t, http.MethodGet, path+"&cursor="+altered, ""), http.StatusBadRequest, "invalid_cursor")
		}

		for _, altered := range []string{cursor[1:], cursor[:len(cursor)-1], cursor + "A", cursor + "=", cursor + cursor, "x", "%20", "%E2%82%AC", strings.Repeat("A", 10_000)} {
			requireProblem(t, s.Do(t, http.MethodGet, path+"&cursor="+altered, ""), http.StatusBadRequest, "invalid_cursor")
		}
	}

	for path := range cursors {
		for other, cursor := range cursors {
			if path != other {
				requireProblem(t, s.Do(t, http.MethodGet, path+"&cursor="+cursor, ""), http.StatusBadRequest, "invalid_cursor")
			}
		}
	}

	page := "/v1/events?cursor=" + cursors["/v1/events?limit=1"]
	for _, filter := range []string{
		"order=asc", "category=page", "name=view", "application=" + m.tenants[0].Name, "session_id=" + m.sessions[0], "from=2021-01-01", "to=2022-01-01",
	} {
		requireProblem(t, s.Do(t, http.MethodGet, page+"&"+filter, ""), http.StatusBadRequest, "invalid_cursor")
	}

	// The size of a page does not filter, nor does the default order when it is named.
	require.Len(t, mustGet(t, s.Client, page+"&limit=1000&order=desc")["events"], len(m.events)-1)
	answer := s.Do(t, http.MethodGet, page, "", "Accept", lineType)
	require.Equal(t, len(m.events)-1, strings.Count(string(answer.Body), "\n"), "a stream continues from a cursor")
}

func manyParameters(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("x%d=1", i)
	}

	return strings.Join(names, "&")
}

func TestListParameters(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	session := newID()
	mustPost(t, s.WithKey(s.Ingest), newEvent(t, session, "category", "ab"))
	lists := map[string][]string{
		"/v1/events":                          {"session_id", "category", "name", "application", "from", "to", "order", "limit", "cursor"},
		"/events/":                            {"session_id", "category", "name", "application", "from", "to", "order", "limit", "cursor"},
		"/v1/sessions/" + session + "/events": {"category", "name", "application", "from", "to", "order", "limit", "cursor"},
		"/v1/sessions":                        {"application", "from", "to", "limit", "cursor"},
		"/v1/errors":                          {"code", "application", "category", "name", "session_id", "status", "from", "to", "limit", "cursor"},
	}
	wrong := map[string][]string{
		"limit":      {"0", "-1", "1001", "1.5", "x", "1e2", "99999999999999999999", "0x10", "%201"},
		"order":      {"up", "ASC", "asc,desc"},
		"status":     {"closed", "OPEN"},
		"session_id": {"x", "0190163d", "{" + session + "}", "urn:uuid:" + session, strings.ReplaceAll(session, "-", "")},
		"from":       {"now", "2021", "2021-13-01", "2021-02-30", "1609459200", "2021-01-01T00:00", "2021-01-01T00:00:00", "10000-01-01", "2021-01-01T24:00:00Z"},
		"to":         {"yesterday", "2021-01-01T00:00:00+25:00", "-1", "0000-01-01T00:00:00Z"},
	}
	for path, names := range lists {
		refused := func(query, code string, places ...string) {
			t.Helper()
			problem := requireProblem(t, s.Do(t, http.MethodGet, path+"?"+query, ""), http.StatusBadRequest, code)
			require.ElementsMatch(t, places, reasons(t, problem), query)
		}
		for _, name := range names {
			refused(name+"=", "invalid_parameter", "?"+name+" invalid_parameter")
			for _, value := range []string{"%00", "a%00b", "%ff", "ab%ff", "%c0%af", "%ed%a0%80"} {
				refused(name+"="+value, "invalid_parameter", "?"+name+" invalid_parameter")
			}

			for _, value := range wrong[name] {
				refused(name+"="+url.QueryEscape(strings.ReplaceAll(value, "%20", " ")), "invalid_parameter", "?"+name+" invalid_parameter")
			}
		}

		refused("limit=1&limit=1", "invalid_parameter", "?limit invalid_parameter")
		refused("foo=1", "unknown_parameter", "?foo unknown_parameter")
		refused("Limit=1", "unknown_parameter", "?Limit unknown_parameter")
		refused("%ff%00=1", "unknown_parameter", "?\uFFFD\uFFFD unknown_parameter")
		refused("limit=x&from=x&foo=1", "unknown_parameter", "?foo unknown_parameter", "?limit invalid_parameter", "?from invalid_parameter")
		refused("from=2021-01-02&to=2021-01-01", "invalid_parameter", "?to invalid_parameter")
		problem := requireProblem(t, s.Do(t, http.MethodGet, path+"?"+strings.Repeat("a&b&c&", 20)+manyParameters(500), ""), http.StatusBadRequest, "unknown_parameter")
		require.Len(t, problem["errors"], 20)
		refused("limit=%zz", "invalid_parameter", "invalid_parameter")
		refused("limit=1;from=2", "invalid_parameter", "invalid_parameter")
		for _, good := range []string{"", "limit=1", "limit=1000", "limit=%2B5", "&&"} {
			mustGet(t, s.Client, path+"?"+good)
		}
	}
}
