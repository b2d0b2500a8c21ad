package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// side is one of the two applications, with a secret in everything that it sent.
type side struct {
	tenant

	secret string
}

// aim is a request for the data of one side.
type aim struct {
	path, body string
}

// isolation says how to ask a route for the data of a side, and what a key of the other side
// gets. The scopes that may use the route are in accessMatrix.
type isolation struct {
	ask func(t testing.TB, s *apptest.Service, of side) aim
	// hidden is the status for a key of the other side; 0 means a response without any data of
	// this side.
	hidden int
}

// session makes a session of a side with an event and an error, and returns their ids.
func (of side) session(t testing.TB) (session, event, rejected string) {
	t.Helper()
	session = newID()
	event = at[string](t, mustPost(t, of.Ingest, newEvent(t, session, "data", map[string]any{"x": of.secret})), "event_id")
	answer := of.Ingest.Do(t, http.MethodPost, "/v1/events", newEvent(t, session, "data", map[string]any{"x": of.secret}, of.secret, 1))
	return session, event, at[string](t, answer.JSON(t), "error_id")
}

// isolationMatrix has a line for each route that needs a key. A route without a line fails the
// test: a new route needs a line on what it separates.
func isolationMatrix() map[string]isolation {
	const none = http.StatusNotFound
	everybody := func(path, body string) isolation { // it concerns no application's data
		return isolation{func(testing.TB, *apptest.Service, side) aim { return aim{path, body} }, 0}
	}
	lists := func(path string) isolation {
		return isolation{func(t testing.TB, _ *apptest.Service, of side) aim {
			t.Helper()
			of.session(t)
			return aim{path, ""}
		}, 0}
	}
	ofEvent := func(suffix, body string) isolation {
		return isolation{func(t testing.TB, _ *apptest.Service, of side) aim {
			t.Helper()
			_, event, _ := of.session(t)
			return aim{"/v1/events/" + event + suffix, body}
		}, none}
	}
	ofSession := func(suffix string) isolation {
		return isolation{func(t testing.TB, _ *apptest.Service, of side) aim {
			t.Helper()
			session, _, _ := of.session(t)
			return aim{"/v1/sessions/" + session + suffix, ""}
		}, none}
	}
	ofApplication := func(suffix, body string) isolation {
		return isolation{func(_ testing.TB, _ *apptest.Service, of side) aim {
			return aim{"/v1/applications/" + of.Name + suffix, body}
		}, none}
	}
	ofType := func(suffix, body string) isolation {
		return isolation{func(t testing.TB, s *apptest.Service, _ side) aim {
			t.Helper()
			return aim{"/v1/event-types/page/" + newType(t, s) + suffix, body}
		}, 0}
	}
	whole := `{"session_id":"` + newID() + `","category":"page","name":"seen","data":{},"timestamp":"2021-01-02T00:00:00Z"}`
	return map[string]isolation{
		"POST /v1/events":              everybody("/v1/events", whole),
		"POST /v1/collect":             everybody("/v1/collect", whole),
		"POST /v1/validate":            everybody("/v1/validate", whole),
		"GET /v1/events":               lists("/v1/events?limit=1000"),
		"GET /v1/events/{id}":          ofEvent("", ""),
		"GET /v1/events/changes":       lists("/v1/events/changes?limit=1000"),
		"GET /v1/stats":                lists("/v1/stats?group_by=application"),
		"GET /v1/events/{id}/trace":    ofEvent("/trace", ""),
		"PUT /v1/events/{id}":          ofEvent("", whole),
		"PATCH /v1/events/{id}":        ofEvent("", `{"name":"seen"}`),
		"DELETE /v1/events/{id}":       ofEvent("", ""),
		"GET /v1/sessions":             lists("/v1/sessions?limit=1000"),
		"GET /v1/sessions/{id}":        ofSession(""),
		"GET /v1/sessions/{id}/events": ofSession("/events"),
		"DELETE /v1/sessions/{id}":     ofSession(""),
		"POST /v1/erasures": {func(testing.TB, *apptest.Service, side) aim {
			return aim{"/v1/erasures", `{"session_ids":["` + newID() + `"]}`}
		}, 0},
		"GET /v1/erasures/{id}": {func(t testing.TB, s *apptest.Service, _ side) aim {
			t.Helper()
			return aim{"/v1/erasures/" + eraseAndWait(t, s, `{"session_ids":["`+newID()+`"]}`), ""}
		}, 0},
		"GET /v1/subjects": {func(t testing.TB, _ *apptest.Service, of side) aim {
			t.Helper()
			of.session(t)
			return aim{"/v1/subjects?data.x=" + of.secret, ""}
		}, 0},
		"GET /v1/errors": lists("/v1/errors?limit=1000"),
		"GET /v1/errors/{id}": {func(t testing.TB, _ *apptest.Service, of side) aim {
			t.Helper()
			_, _, rejected := of.session(t)
			return aim{"/v1/errors/" + rejected, ""}
		}, none},
		"GET /v1/errors/stats":    lists("/v1/errors/stats?group_by=code,application,category,name"),
		"GET /v1/errors/groups":   lists("/v1/errors/groups?limit=1000"),
		"POST /v1/errors/replay":  everybody("/v1/errors/replay", `{"all":true}`),
		"POST /v1/errors/discard": everybody("/v1/errors/discard", `{"all":true}`),
		"POST /v1/applications": {func(testing.TB, *apptest.Service, side) aim {
			return aim{"/v1/applications", `{"name":"app-` + newID() + `"}`}
		}, 0},
		"GET /v1/applications":              everybody("/v1/applications", ""),
		"GET /v1/applications/{name}":       ofApplication("", ""),
		"PATCH /v1/applications/{name}":     ofApplication("", `{"rate_limit":100000}`),
		"POST /v1/applications/{name}/keys": ofApplication("/keys", `{"scopes":["ingest"]}`),
		"GET /v1/applications/{name}/keys":  ofApplication("/keys", ""),
		"DELETE /v1/applications/{name}/keys/{id}": {func(t testing.TB, s *apptest.Service, of side) aim {
			t.Helper()
			id, _ := newKey(t, s, of.Name, `{"scopes":["read"]}`)
			return aim{"/v1/applications/" + of.Name + "/keys/" + id, ""}
		}, none},
		// Event types belong to the organisation.
		"GET /v1/event-types":                            everybody("/v1/event-types", ""),
		"GET /v1/event-types/{category}/{name}":          ofType("", ""),
		"GET /v1/event-types/{category}/{name}/versions": ofType("/versions", ""),
		"PUT /v1/event-types/{category}/{name}":          ofType("", `{"schema":{"type":"object"},"mode":"observe"}`),
		"DELETE /v1/event-types/{category}/{name}":       ofType("", ""),
		"POST /v1/event-types/{category}/{name}/preview": ofType("/preview", `{"schema":{}}`),
		"GET /v1/audit": everybody("/v1/audit", ""),
	}
}

// caller is a key of one side.
type caller struct {
	name string
	key  *apptest.Client
	may  func(who) bool
	// all means that the key reads the events of every application.
	all bool
}

func callers(t testing.TB, s *apptest.Service, of side) []caller {
	t.Helper()
	key := func(spec string) *apptest.Client {
		_, text := newKey(t, s, of.Name, spec)
		return s.WithKey(text)
	}
	ingest := func(w who) bool { return w.ingest }
	read := func(w who) bool { return w.read }
	admin := func(w who) bool { return w.admin }
	return []caller{
		{"nobody", s.WithKey(""), nil, false},
		{"ingest", key(`{"scopes":["ingest"]}`), ingest, false},
		{"ingest, organisation-wide", key(`{"scopes":["ingest"],"organisation_wide":true}`), ingest, false},
		{"read", key(`{"scopes":["read"]}`), read, false},
		{"read, organisation-wide", key(`{"scopes":["read"],"organisation_wide":true}`), read, true},
		{"ingest and read", key(`{"scopes":["ingest","read"]}`), func(w who) bool { return w.ingest || w.read }, false},
		{"public", key(`{"public":true,"any_origin":true}`), func(who) bool { return false }, false},
		{"admin", key(`{"scopes":["admin"]}`), admin, true},
	}
}

// TestIsolationMatrix calls every route by every method, with keys of every scope, for the data
// of the key's application and of another one.
func TestIsolationMatrix(t *testing.T) {
	t.Parallel()
	rules, known := isolationMatrix(), accessMatrix()
	for _, route := range httpapi.Routes() {
		name := route.Method + " " + route.Template()
		if slices.Contains(open(), name) {
			continue
		}

		rule, found := rules[name]
		require.True(t, found, "%s: add a line on what it separates to isolationMatrix", name)
		delete(rules, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := apptest.Start(t, nil) // changes by one route do not matter for the others
			own := side{newTenant(t, s), "secret-of-one"}
			other := side{newTenant(t, s), "secret-of-another"}
			own.session(t)
			other.session(t)
			pool := s.Database.Pool(t)
			for _, c := range callers(t, s, own) {
				for _, target := range []side{own, other} {
					what := c.name + " asks for what belongs to " + target.Name
					asked := rule.ask(t, s, target)
					before := tableDigests(t, pool)
					answer := c.key.Do(t, route.Method, asked.path, asked.body)
					text := string(answer.Body)
					sees := c.all || target.Name == own.Name
					switch {
					case c.may == nil || known[name].public:
						requireProblem(t, answer, http.StatusUnauthorized, "unauthorized")
					case !c.may(known[name]):
						requireProblem(t, answer, http.StatusForbidden, "forbidden")
					case !sees && rule.hidden != 0:
						require.Equal(t, rule.hidden, answer.Status, "%s: %s", what, text)
					default:
						require.Less(t, answer.Status, 300, "%s: %s", what, text)
					}

					if answer.Status >= 400 {
						require.Equal(t, before, tableDigests(t, pool), "%s: it was rejected and changed something", what)
						require.NotContains(t, text, own.secret, what)
					}

					if !c.all || answer.Status >= 400 {
						for _, secret := range []string{other.secret, other.Name} {
							require.NotContains(t, strings.ReplaceAll(text, asked.path, ""), secret, what)
						}
					}
				}
			}
		})
	}

	require.Empty(t, rules, "a rule without a route")
}
