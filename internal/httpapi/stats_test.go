package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func TestStats(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	get := func(c *apptest.Client, query string) map[string]any { return mustGet(t, c, "/v1/stats?"+query) }
	bucket := func(pairs ...any) map[string]any {
		b := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			b[fmt.Sprint(pairs[i])] = pairs[i+1]
		}

		return b
	}
	count := func(query string) json.Number {
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		return number(len(m.ask(values, false)))
	}
	require.Equal(t, map[string]any{"from": nil, "to": nil, "buckets": []any{bucket("count", count(""))}}, get(m.service.Client, ""))
	require.Equal(t, []any{
		bucket("category", "formé", "name", "a&b=c", "count", count("category=formé&name=a%26b%3Dc")),
		bucket("category", "formé", "name", "view", "count", count("category=formé&name=view")),
		bucket("category", "page", "name", "a&b=c", "count", count("category=page&name=a%26b%3Dc")),
		bucket("category", "page", "name", "view", "count", count("category=page&name=view")),
	}, get(m.service.Client, "group_by=category,name")["buckets"])
	from, to := "2021-01-01T09:00:00.000000Z", "2021-01-01T09:03:00.000000Z"
	filled := get(m.service.Client, "category=page&interval=minute&fill=true&from=2021-01-01T08:59:00Z&to="+to)
	require.Equal(t, "2021-01-01T08:59:00.000000Z", filled["from"])
	require.Equal(t, to, filled["to"])
	want := []any{bucket("start", "2021-01-01T08:59:00.000000Z", "count", number(0))}
	for minute := range 3 {
		query := fmt.Sprintf("category=page&from=2021-01-01T09:%02d:00.000000Z&to=2021-01-01T09:%02d:00.000000Z", minute, minute+1)
		want = append(want, bucket("start", fmt.Sprintf("2021-01-01T09:%02d:00.000000Z", minute), "count", count(query)))
	}

	require.Equal(t, want, filled["buckets"])
	require.Equal(t, []any{bucket("application", m.tenants[0].Name, "count", count("application="+m.tenants[0].Name+"&session_id="+m.sessions[0]+"&from="+from))},
		get(m.service.Client, "group_by=application&application="+m.tenants[0].Name+"&session_id="+m.sessions[0]+"&from="+from)["buckets"])

	recent := get(m.service.Client, "interval=hour")
	require.NotNil(t, recent["from"], "without a range the last 24 hours, which the answer names")
	require.NotNil(t, recent["to"])
	require.Empty(t, recent["buckets"])

	// A key that is bound to its application counts only that one.
	own := m.tenants[1]
	require.Equal(t, []any{bucket("count", count("application="+own.Name))}, get(own.Read, "")["buckets"])
	require.Equal(t, []any{bucket("application", own.Name, "count", count("application="+own.Name))}, get(own.Read, "group_by=application")["buckets"])
	problem := requireProblem(t, own.Read.Do(t, http.MethodGet, "/v1/stats?application="+m.tenants[0].Name, ""), http.StatusBadRequest, "forbidden")
	require.Equal(t, []string{"?application forbidden"}, reasons(t, problem))

	for query, parameter := range map[string]string{
		"group_by=colour": "group_by", "group_by=name,name": "group_by", "interval=week": "interval", "fill=true": "fill",
		"interval=hour&fill=true&from=2021-01-01": "fill", "interval=minute&fill=true&from=2021-01-01&to=2022-01-01": "group_by", "fill=x": "fill",
	} {
		problem := requireProblem(t, m.service.Do(t, http.MethodGet, "/v1/stats?"+query, ""), http.StatusBadRequest, "invalid_parameter")
		require.Equal(t, []string{"?" + parameter + " invalid_parameter"}, reasons(t, problem), query)
	}
}

func TestFilterByPayload(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	session := newID()
	ids := map[string]string{}
	for name, data := range map[string]string{
		"number": `{"amount":3,"a":{"b":[{"c":"x"},{"c":"y"}]}}`, "string": `{"amount":"3","a.b":"dot","back\\slash":"s"}`,
		"fraction": `{"amount":3.0,"ok":true}`, "null": `{"amount":null,"":1,"empty":""}`, "object": `{"amount":{"x":1}}`,
	} {
		e := newEvent(t, session, "name", name, "data", json.RawMessage(data))
		ids[name] = at[string](t, mustPost(t, s.WithKey(s.Ingest), e), "event_id")
	}

	day := "&from=2021-01-01&to=2021-02-01"
	for query, want := range map[string][]string{
		"data.amount=3": {"number", "string"}, "data.amount=3.0": {"fraction"}, "data.a.b.1.c=y": {"number"}, "data.a.b.0.c=y": {},
		`data.a\.b=dot`: {"string"}, `data.a%5C%2Eb=dot`: {"string"}, `data.back%5C%5Cslash=s`: {"string"}, "data.ok=true": {"fraction"}, "data.empty=": {"null"},
		"data.amount=null": {}, "data.amount=3&data.a.b.0.c=x": {"number"}, "data.amount=" + url.QueryEscape(`{"x": 1}`): {"object"}, "data.none=": {},
		"data.amount=3&category=page&name=string": {"string"},
	} {
		expected := []string{}
		for _, name := range want {
			expected = append(expected, ids[name])
		}

		for _, path := range []string{"/v1/events?" + query + day, "/v1/events?session_id=" + session + "&" + query, "/v1/sessions/" + session + "/events?" + query} {
			path = strings.ReplaceAll(path, `\`, "%5C")
			require.ElementsMatch(t, expected, column(t, mustGet(t, s.Client, path)["events"], "event_id"), path)
			lines := s.Do(t, http.MethodGet, path, "", "Accept", lineType)
			require.Equal(t, len(want), strings.Count(string(lines.Body), "\n"), path)
			got, _ := pages(t, s.Client, path+"&limit=1", "events")
			require.ElementsMatch(t, expected, got, path)
		}
	}

	cursor := at[string](t, mustGet(t, s.Client, "/v1/events?data.amount=3&limit=1"+day), "next_cursor")
	requireProblem(t, s.Do(t, http.MethodGet, "/v1/events?data.amount=4&limit=1"+day+"&cursor="+cursor, ""), http.StatusBadRequest, "invalid_cursor")
	for query, parameter := range map[string]string{
		"data.amount=3": "data.amount", "data.amount=3&from=2021-01-01": "data.amount", "data.amount=3&from=2021-01-01&to=2021-02-02": "data.amount",
		"data.amount=3&category=page&name=view": "data.amount", "data.=3" + day: "data.", "data.a..b=3" + day: "data.a..b", "data.a.=3" + day: "data.a.",
		"data.a%5Cb=3" + day: `data.a\b`, "data.a%5C=3" + day: `data.a\`, "data.a=1&data.b=1&data.c=1&data.d=1&data.e=1&data.f=1" + day: "data.a",
		"data.a%00=3" + day: "data.a\uFFFD", "data.a%FF=1" + day: "data.a\uFFFD", "data.a=1&data.a=2" + day: "data.a",
		"data.a=%00" + day: "data.a", "data." + strings.Repeat("a.", 40) + "a=1" + day: ("data." + strings.Repeat("a.", 40))[:64],
	} {
		problem := requireProblem(t, s.Do(t, http.MethodGet, "/v1/events?"+query, ""), http.StatusBadRequest, "invalid_parameter")
		require.Equal(t, []string{"?" + parameter + " invalid_parameter"}, reasons(t, problem), query)
	}

	for _, path := range []string{"/v1/errors?data.a=1", "/v1/stats?data.a=1", "/v1/events?data=1", "/v1/events/changes?data.a=1"} {
		requireProblem(t, s.Do(t, http.MethodGet, path, ""), http.StatusBadRequest, "unknown_parameter")
	}
}
