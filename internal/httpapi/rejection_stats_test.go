package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func TestErrorStats(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"errors.kept_per_hour": "5"})
	one, other := newTenant(t, s), newTenant(t, s)
	for range 3 {
		postRejected(t, one.Ingest, newEvent(t, newID(), "u", 1))
	}

	postRejected(t, one.Ingest, newEvent(t, newID(), "name", "", "u", 1))
	postRejected(t, other.Ingest, newEvent(t, newID(), "u", 1))

	stats := mustGet(t, s.Client, "/v1/errors/stats?group_by=application,name,code")
	require.Nil(t, stats["from"])
	require.Equal(t, json.Number("0"), stats["not_kept"])
	var sum int64
	for _, bucket := range at[[]any](t, stats, "buckets") {
		document := at[map[string]any](t, bucket)
		require.NotContains(t, document, "start")
		require.NotContains(t, document, "category")
		sum += numbers(t, document)["count"]
	}

	require.EqualValues(t, 5, sum)

	// By time: the last 24 hours unless a range is given, with the gaps filled on request.
	for query, want := range map[string]int{
		"interval=hour": 1, "interval=hour&group_by=application": 2, "interval=hour&fill=true": 25,
		"interval=day&from=2021-01-01&to=2021-01-11&fill=true": 10, "interval=day&from=2021-01-01&to=2021-01-11": 0,
		"": 1, "code=unknown_field": 1, "status=replayed&group_by=code": 0,
	} {
		stats := mustGet(t, s.Client, "/v1/errors/stats?"+query)
		require.InDelta(t, want, len(at[[]any](t, stats, "buckets")), 1, query) // an hour may begin in between
	}

	require.Equal(t, json.Number("5"), at[json.Number](t, mustGet(t, s.Client, "/v1/errors/stats?code=unknown_field"), "buckets", 0, "count"))
	require.Equal(t, json.Number("1"), at[json.Number](t, mustGet(t, s.Client, "/v1/errors/stats?code=invalid_length"), "buckets", 0, "count"))
	begun := at[string](t, mustGet(t, s.Client, "/v1/errors?limit=1"), "errors", 0, "received_at")
	from := url.QueryEscape(begun)
	require.Equal(t, json.Number("1"), at[json.Number](t, mustGet(t, s.Client, "/v1/errors/stats?from="+from), "buckets", 0, "count"))

	// Rejections over the bound are counted separately.
	for range 20 {
		one.Ingest.Do(t, http.MethodPost, "/v1/events", newEvent(t, newID(), "u", 1))
	}

	for _, path := range []string{"/v1/errors/stats", "/v1/errors/groups"} {
		require.Equal(t, mustGet(t, s.Client, "/v1/errors")["not_kept"], mustGet(t, s.Client, path)["not_kept"])
		require.NotEqual(t, json.Number("0"), mustGet(t, s.Client, path)["not_kept"])
	}

	// A key that is bound to an application sees only its own.
	mine := mustGet(t, other.Read, "/v1/errors/stats?group_by=application")
	require.Equal(t, []string{other.Name}, column(t, mine["buckets"], "application"))
	groups := mustGet(t, other.Read, "/v1/errors/groups")
	require.Equal(t, []string{other.Name}, column(t, groups["groups"], "application"))
	require.Equal(t, []string{"unknown_field"}, column(t, groups["groups"], "code"))
	require.Equal(t, []string{"/u"}, column(t, groups["groups"], "pointer"))
	for _, path := range []string{"/v1/errors/stats", "/v1/errors/groups"} {
		requireProblem(t, other.Read.Do(t, http.MethodGet, path+"?application="+one.Name, ""), http.StatusBadRequest, "forbidden")
	}

	long := time.Now().UTC().AddDate(0, 0, -20).Format(time.DateOnly)
	for query, reason := range map[string]string{
		"group_by=session_id": "?group_by invalid_parameter", "group_by=code,code": "?group_by invalid_parameter", "interval=week": "?interval invalid_parameter",
		"fill=true": "?fill invalid_parameter", "interval=minute&fill=true&from=" + long + "&to=2999-01-01": "?group_by invalid_parameter",
		"limit=1": "?limit unknown_parameter", "status=closed": "?status invalid_parameter", "interval=day&fill=true&from=2021-01-01": "?fill invalid_parameter",
	} {
		answer := s.Do(t, http.MethodGet, "/v1/errors/stats?"+query, "")
		require.Equal(t, http.StatusBadRequest, answer.Status, query)
		require.Equal(t, []string{reason}, reasons(t, answer.JSON(t)), query)
	}
}
