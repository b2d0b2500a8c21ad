package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// canary is in every payload, description and raw text of these tests, and must not be in any
// audit entry.
const canary = "canary-5f1e"

// auditedChange is one use of a route that changes something.
type auditedChange struct {
	path, body string
	action     audit.Action
	target     string
	// table has a row that the change wrote, and detail is the content of the entry.
	table, detail string
}

// alsoNoted returns the actions of further entries that a change leaves: an erasure records its
// beginning and its end.
func alsoNoted(route string) []audit.Action {
	switch route {
	case "DELETE /v1/sessions/{id}":
		return []audit.Action{audit.ErasureBegun, audit.ErasureFinished}
	case "POST /v1/erasures":
		return []audit.Action{audit.ErasureFinished}
	}

	return nil
}

// prepare creates what a change needs and returns the change. A route that changes something and
// has none fails the test.
type prepare func(t testing.TB, s *apptest.Service) auditedChange

func anEvent(t testing.TB, s *apptest.Service) (id, session string) {
	t.Helper()
	session = newID()
	id = at[string](t, mustPost(t, s.WithKey(s.Ingest), newEvent(t, session, "data", map[string]any{"x": canary})), "event_id")
	return id, session
}

func auditedChanges() map[string]prepare {
	edit := func(body func(session string) string, changed string) prepare {
		return func(t testing.TB, s *apptest.Service) auditedChange {
			t.Helper()
			id, session := anEvent(t, s)
			return auditedChange{"/v1/events/" + id, body(session), audit.EventEdited, id, "session", `{"changed":[` + changed + `]}`}
		}
	}
	// An event that a replay stores is committed in a transaction of its own, before the run is
	// recorded; an event that is rejected again changes nothing but the rejection.
	rejected := func(what string, action audit.Action, detail string) prepare {
		return func(t testing.TB, s *apptest.Service) auditedChange {
			t.Helper()
			answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", newEvent(t, newID(), canary, canary))
			return auditedChange{"/v1/errors/" + what, `{"ids":["` + at[string](t, answer.JSON(t), "error_id") + `"]}`, action, "ids", "rejection", detail}
		}
	}
	return map[string]prepare{
		"PUT /v1/events/{id}": edit(func(session string) string {
			return `{"session_id":"` + session + `","category":"page","name":"seen","data":{"y":"` + canary + `"},"timestamp":"2021-01-02T00:00:00Z"}`
		}, `"name","data","timestamp"`),
		"PATCH /v1/events/{id}": edit(func(string) string { return `{"data":{"y":"` + canary + `"}}` }, `"data"`),
		"DELETE /v1/events/{id}": func(t testing.TB, s *apptest.Service) auditedChange {
			t.Helper()
			id, session := anEvent(t, s)
			return auditedChange{"/v1/events/" + id, "", audit.EventErased, id, "session", `{"session_id":"` + session + `"}`}
		},
		"DELETE /v1/sessions/{id}": func(t testing.TB, s *apptest.Service) auditedChange {
			t.Helper()
			_, session := anEvent(t, s)
			s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", newEvent(t, session, canary, canary))
			return auditedChange{"/v1/sessions/" + session, "", audit.SessionErased, session, "session", `{"sessions":1,"events":1,"errors":1}`}
		},
		"POST /v1/erasures": func(testing.TB, *apptest.Service) auditedChange {
			return auditedChange{
				path: "/v1/erasures", body: `{"data":{"x.y":"` + canary + `"}}`, action: audit.ErasureBegun,
				detail: `{"sessions":0,"data_paths":["x.y"]}`,
			}
		},
		"POST /v1/applications": func(testing.TB, *apptest.Service) auditedChange {
			name := "app-" + newID()
			return auditedChange{
				"/v1/applications", `{"name":"` + name + `","rate_limit":7}`, audit.ApplicationCreated, name,
				"application", `{"disabled":false,"rate_limit":7,"allowed_origins":[]}`,
			}
		},
		"PATCH /v1/applications/{name}": func(t testing.TB, s *apptest.Service) auditedChange {
			t.Helper()
			name := newTenant(t, s).Name
			return auditedChange{
				"/v1/applications/" + name, `{"disabled":true}`, audit.ApplicationChanged, name,
				"application", `{"disabled":true,"rate_limit":null,"allowed_origins":[]}`,
			}
		},
		"POST /v1/applications/{name}/keys": func(testing.TB, *apptest.Service) auditedChange {
			return auditedChange{
				"/v1/applications/shop/keys", `{"scopes":["read"],"description":"` + canary + `"}`, audit.KeyCreated, "",
				"api_key", `{"application":"shop","scopes":["read"],"organisation_wide":false,"expires_at":null}`,
			}
		},
		"PUT /v1/event-types/{category}/{name}": func(testing.TB, *apptest.Service) auditedChange {
			name := newID()
			return auditedChange{
				"/v1/event-types/a%20b/" + name, `{"schema":{"title":"` + canary + `"},"mode":"observe","description":"` + canary + `"}`,
				audit.EventTypeChanged, "a%20b/" + name, "event_type_revision", `{"version":1,"mode":"observe"}`,
			}
		},
		"DELETE /v1/event-types/{category}/{name}": func(t testing.TB, s *apptest.Service) auditedChange {
			t.Helper()
			name := newType(t, s)
			return auditedChange{"/v1/event-types/page/" + name, "", audit.EventTypeDeleted, "page/" + name, "event_type_revision", `{"version":1}`}
		},
		"POST /v1/errors/replay":  rejected("replay", audit.ErrorsReplayed, `{"stored":0,"duplicates":0,"rejected":1}`),
		"POST /v1/errors/discard": rejected("discard", audit.ErrorsDiscarded, `{"discarded":1}`),
		"DELETE /v1/applications/{name}/keys/{id}": func(t testing.TB, s *apptest.Service) auditedChange {
			t.Helper()
			id, _ := newKey(t, s, "shop", `{"scopes":["read"]}`)
			return auditedChange{"/v1/applications/shop/keys/" + id, "", audit.KeyRevoked, id, "api_key", `{"application":"shop"}`}
		},
	}
}

// newType registers an event type of the category page.
func newType(t testing.TB, s *apptest.Service) (name string) {
	t.Helper()
	name = newID()
	answer := s.Do(t, http.MethodPut, "/v1/event-types/page/"+name, `{"schema":{},"mode":"enforce"}`)
	require.Less(t, answer.Status, 300, "%s", answer.Body)
	return name
}

// changingRoutes are the admin routes that change something: all except those that read.
func changingRoutes() map[string]httpapi.Route {
	found := map[string]httpapi.Route{}
	for _, route := range httpapi.Routes() {
		if route.Scope == "admin" && route.Method != http.MethodGet && !slices.Contains(readOnlyRoutes(), route.Method+" "+route.Template()) {
			found[route.Method+" "+route.Template()] = route
		}
	}

	return found
}

// readOnlyRoutes are the admin routes that change nothing although they are not GET.
func readOnlyRoutes() []string { return []string{"POST /v1/event-types/{category}/{name}/preview"} }

type auditRow struct {
	actor, application, requestID, action, target, detail, transaction string
}

func auditRows(t testing.TB, pool *pgxpool.Pool) (rows []auditRow) {
	t.Helper()
	const sql = `select actor, coalesce(application, ''), coalesce(request_id, ''), action, target, detail::text, xmin::text from audit_entry order by "at", audit_entry_id`
	found, err := pool.Query(t.Context(), sql)
	require.NoError(t, err)
	defer found.Close()

	for found.Next() {
		var r auditRow
		require.NoError(t, found.Scan(&r.actor, &r.application, &r.requestID, &r.action, &r.target, &r.detail, &r.transaction))
		rows = append(rows, r)
	}

	require.NoError(t, found.Err())
	return rows
}

func TestEveryChangeLeavesOneEntryInItsTransaction(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	pool := s.Database.Pool(t)
	adminID, admin := newKey(t, s, "shop", `{"scopes":["admin"]}`)
	routes, known := changingRoutes(), auditedChanges()
	for name, route := range routes {
		ready, ok := known[name]
		require.True(t, ok, "%s: add the entry that it leaves to auditedChanges, or the route to readOnlyRoutes", name)
		d := ready(t, s)
		before := auditRows(t, pool)
		answer := s.WithKey(admin).Do(t, route.Method, d.path, d.body, "X-Request-Id", "req-"+adminID)
		require.Less(t, answer.Status, 300, "%s: %s", name, answer.Body)
		if d.target == "" {
			d.target = madeID(t, s, answer)
		}

		var entry auditRow
		var others []audit.Action
		for _, row := range auditRows(t, pool)[len(before):] {
			if row.action == string(d.action) {
				entry = row
			} else {
				others = append(others, audit.Action(row.action))
			}
		}

		require.Equal(t, alsoNoted(name), others, name)
		require.Equal(t, auditRow{"key:" + adminID, "shop", "req-" + adminID, string(d.action), d.target, entry.detail, entry.transaction}, entry)
		require.JSONEq(t, d.detail, entry.detail, name)
		if d.table == "" {
			continue // its row has been changed again since
		}

		var together bool
		require.NoError(t, pool.QueryRow(t.Context(), "select exists (select from "+d.table+" where xmin::text = $1)", entry.transaction).Scan(&together))
		require.True(t, together, "%s: the entry was not written by the transaction that changed %s", name, d.table)
	}

	require.Len(t, known, len(routes), "a change without a route")
	requireNoSecrets(t, pool)
}

// madeID returns the id of the created resource in a response. An erasure is awaited.
func madeID(t testing.TB, s *apptest.Service, answer *apptest.Answer) string {
	t.Helper()
	made := answer.JSON(t)
	if id, ok := made["erasure_id"].(string); ok {
		awaitErasure(t, s, id)
		return id
	}

	return at[string](t, made, "key_id")
}

// requireNoSecrets searches for the payloads that were sent, and for the parts of keys.
func requireNoSecrets(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	var leaked []string
	require.NoError(t, pool.QueryRow(t.Context(), `
select coalesce(array_agg(e.text), '{}') from (select to_jsonb(a)::text as text from audit_entry a) e
where e.text like '%'||$1||'%' or e.text like '%eye\_%'
	or exists (select from api_key k where e.text like '%'||encode(k.secret_hash, 'hex')||'%' or e.text like '%'||encode(k.secret_hash, 'base64')||'%')`,
		canary).Scan(&leaked))
	require.Empty(t, leaked)
}

// An entry that cannot be committed rolls back its change.
func TestAChangeIsRolledBackWithItsEntry(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	pool := s.Database.Pool(t)
	prepared := map[string]auditedChange{}
	for name := range changingRoutes() {
		prepared[name] = auditedChanges()[name](t, s)
	}

	_, err := pool.Exec(t.Context(), `
create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
create constraint trigger refuse after insert on audit_entry deferrable initially deferred for each row execute function refuse()`)
	require.NoError(t, err)
	before := tableDigests(t, pool)
	for name, d := range prepared {
		method, _, _ := strings.Cut(name, " ")
		answer := s.Do(t, method, d.path, d.body)
		require.GreaterOrEqual(t, answer.Status, 500, "%s: %s", name, answer.Body)
		require.Equal(t, before, tableDigests(t, pool), name)
	}
}

// tableDigests returns a digest of all rows of each table.
func tableDigests(t testing.TB, pool *pgxpool.Pool) map[string]string {
	t.Helper()
	digests := map[string]string{}
	for _, table := range []string{
		"event", "event_key", "session", "event_amendment", "rejection", "application", "api_key", "access_version",
		"event_type", "event_type_version", "event_type_revision", "audit_entry", "erasure",
	} {
		var digest string
		// A lease ends by itself and does not count as a change.
		sql := "select count(*) || coalesce(md5(string_agg(t, '|' order by t)), '') from (select (to_jsonb(t) - 'leased_until')::text as t from " + table + " t) t"
		require.NoError(t, pool.QueryRow(context.Background(), sql).Scan(&digest))
		digests[table] = digest
	}

	return digests
}

func TestWhatChangesNothingLeavesNoEntry(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	pool := s.Database.Pool(t)
	id, session := anEvent(t, s)
	erased, gone := anEvent(t, s)
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodDelete, "/v1/sessions/"+gone, "").Status)
	keyID, _ := newKey(t, s, "shop", `{"scopes":["read"]}`)
	require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, "/v1/applications/shop/keys/"+keyID, "").Status)
	typed := newType(t, s)
	before := auditRows(t, pool)
	for _, route := range httpapi.Routes() {
		if _, changes := changingRoutes()[route.Method+" "+route.Template()]; changes {
			continue
		}

		for _, path := range []string{id, session, newID()} {
			s.Do(t, route.Method, strings.NewReplacer(":id", path, ":name", "shop", ":category", "page").Replace(route.Paths[0]), body(route.Method))
		}
	}

	require.Equal(t, before, auditRows(t, pool))
	whole := newEvent(t, session, "data", map[string]any{"x": canary})
	for _, one := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodPut, "/v1/events/" + id, whole, http.StatusOK}, // it has this content already
		{http.MethodPatch, "/v1/events/" + id, `{"name":"view"}`, http.StatusOK},
		{http.MethodPatch, "/v1/events/" + id, `{"name":""}`, http.StatusBadRequest},
		{http.MethodDelete, "/v1/events/" + erased, "", http.StatusNotFound},
		{http.MethodDelete, "/v1/sessions/" + gone, "", http.StatusNotFound},
		{http.MethodDelete, "/v1/sessions/" + newID(), "", http.StatusNotFound},
		{http.MethodDelete, "/v1/applications/shop/keys/" + keyID, "", http.StatusNoContent}, // it is already revoked
		{http.MethodPost, "/v1/applications", `{"name":"shop"}`, http.StatusConflict},
		{http.MethodPut, "/v1/event-types/page/" + typed, `{"schema":{},"mode":"enforce"}`, http.StatusOK}, // it has this schema already
		{http.MethodPut, "/v1/event-types/page/" + typed, `{"schema":{"type":7}}`, http.StatusBadRequest},
		{http.MethodDelete, "/v1/event-types/page/" + newID(), "", http.StatusNotFound},
		{http.MethodPatch, "/v1/applications/nobody", `{"disabled":true}`, http.StatusNotFound},
	} {
		answer := s.Do(t, one.method, one.path, one.body)
		require.Equal(t, one.status, answer.Status, "%s %s: %s", one.method, one.path, answer.Body)
		require.Equal(t, before, auditRows(t, pool), "%s %s", one.method, one.path)
	}
}

func TestAuditList(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	id, session := anEvent(t, s)
	for _, name := range []string{"a", "b", "c"} {
		require.Equal(t, http.StatusOK, s.Do(t, http.MethodPatch, "/v1/events/"+id, `{"name":"`+name+`"}`).Status)
	}

	require.Equal(t, http.StatusOK, s.Do(t, http.MethodDelete, "/v1/sessions/"+session, "").Status)
	all := mustGet(t, s.Client, "/v1/audit")
	// A command created an application and its four keys beforehand.
	require.Equal(t, []string{
		"erasure.finished", "session.erased", "erasure.begun", "event.edited", "event.edited", "event.edited", "key.created", "key.created", "key.created", "key.created", "application.created",
	}, column(t, all["entries"], "action"))
	require.Nil(t, all["next_cursor"])
	require.Nil(t, at[map[string]any](t, all, "entries", 10)["application"])
	require.True(t, strings.HasPrefix(at[string](t, all, "entries", 10, "actor"), audit.CommandActor))
	newest := at[map[string]any](t, all, "entries", 0)
	actor := at[string](t, newest, "actor")
	require.Equal(t, map[string]any{"sessions": json.Number("1"), "events": json.Number("1"), "errors": json.Number("0")}, newest["detail"])

	// The list is the same page by page.
	var paged []string
	path := "/v1/audit?limit=2"
	for path != "" {
		answer := s.Do(t, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		paged = append(paged, column(t, answer.JSON(t)["entries"], "audit_entry_id")...)
		link := answer.Header.Get("Link")
		path = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
	}

	require.Equal(t, column(t, all["entries"], "audit_entry_id"), paged)

	count := func(query string) int { return len(at[[]any](t, mustGet(t, s.Client, "/v1/audit?"+query), "entries")) }
	require.Equal(t, 3, count("target="+id))
	require.Equal(t, 3, count("action=event.edited"))
	require.Equal(t, 6, count("actor="+actor))
	require.Equal(t, 1, count("actor="+actor+"&action=session.erased"))
	require.Equal(t, 0, count("target="+newID()))
	moment := at[string](t, newest, "at")
	require.Equal(t, 1, count("from="+moment))
	require.Equal(t, 10, count("to="+moment))

	for query, reason := range map[string]string{
		"action=event.read": "?action invalid_parameter", "actor=": "?actor invalid_parameter", "limit=0": "?limit invalid_parameter",
		"who=me": "?who unknown_parameter", "cursor=x": "?cursor invalid_cursor", "from=yesterday": "?from invalid_parameter",
	} {
		answer := s.Do(t, http.MethodGet, "/v1/audit?"+query, "")
		require.Equal(t, http.StatusBadRequest, answer.Status, query)
		require.Equal(t, []string{reason}, reasons(t, answer.JSON(t)), query)
	}

	cursor := at[string](t, mustGet(t, s.Client, "/v1/audit?limit=1"), "next_cursor")
	requireProblem(t, s.Do(t, http.MethodGet, "/v1/audit?action=event.edited&cursor="+cursor, ""), http.StatusBadRequest, "invalid_cursor")
}
