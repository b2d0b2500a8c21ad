package httpapi_test

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// who says which scopes may use a route.
type who struct {
	ingest, read, admin bool
	// public means that the route takes a public key, as a parameter, and no other.
	public bool
	// status is the status for a key that may use the route: the body is {} and nothing is
	// found.
	status int
}

// accessMatrix has a line for each route. A route without a line fails the test: a new route
// needs a line on the scopes that may use it.
func accessMatrix() map[string]who {
	const (
		ok   = http.StatusOK
		bad  = http.StatusBadRequest
		none = http.StatusNotFound
	)
	senders := func(status int) who { return who{ingest: true, admin: true, status: status} }
	readers := func(status int) who { return who{read: true, admin: true, status: status} }
	administrators := func(status int) who { return who{admin: true, status: status} }
	return map[string]who{
		"POST /v1/events":                                senders(bad),
		"POST /v1/collect":                               {public: true},
		"POST /v1/validate":                              senders(ok),
		"GET /v1/events":                                 readers(ok),
		"GET /v1/events/{id}":                            readers(none),
		"GET /v1/events/changes":                         readers(ok),
		"GET /v1/stats":                                  readers(ok),
		"GET /v1/events/{id}/trace":                      readers(none),
		"PUT /v1/events/{id}":                            administrators(none),
		"PATCH /v1/events/{id}":                          administrators(none),
		"DELETE /v1/events/{id}":                         administrators(none),
		"GET /v1/sessions":                               readers(ok),
		"GET /v1/sessions/{id}":                          readers(none),
		"GET /v1/sessions/{id}/events":                   readers(none),
		"DELETE /v1/sessions/{id}":                       administrators(none),
		"POST /v1/erasures":                              administrators(bad),
		"GET /v1/erasures/{id}":                          administrators(none),
		"GET /v1/subjects":                               administrators(bad),
		"GET /v1/errors":                                 readers(ok),
		"GET /v1/errors/{id}":                            readers(none),
		"GET /v1/errors/stats":                           readers(ok),
		"GET /v1/errors/groups":                          readers(ok),
		"POST /v1/errors/replay":                         administrators(bad),
		"POST /v1/errors/discard":                        administrators(bad),
		"GET /v1/event-types":                            readers(ok),
		"GET /v1/event-types/{category}/{name}":          readers(none),
		"PUT /v1/event-types/{category}/{name}":          administrators(http.StatusCreated),
		"DELETE /v1/event-types/{category}/{name}":       administrators(none),
		"GET /v1/event-types/{category}/{name}/versions": readers(none),
		"POST /v1/event-types/{category}/{name}/preview": administrators(ok),
		"POST /v1/applications":                          administrators(bad),
		"GET /v1/applications":                           administrators(ok),
		"GET /v1/applications/{name}":                    administrators(none),
		"PATCH /v1/applications/{name}":                  administrators(none),
		"POST /v1/applications/{name}/keys":              administrators(bad),
		"GET /v1/applications/{name}/keys":               administrators(none),
		"DELETE /v1/applications/{name}/keys/{id}":       administrators(none),
		"GET /v1/audit":                                  administrators(ok),
	}
}

// open returns the routes that need no key.
func open() []string { return []string{"GET /v1/limits", "GET /v1/openapi.json"} }

func TestScopesByRoute(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	revokedID, revoked := newKey(t, s, "shop", `{"scopes":["admin"]}`)
	require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, "/v1/applications/shop/keys/"+revokedID, "").Status)
	off := newTenant(t, s)
	_, disabled := newKey(t, s, off.Name, `{"scopes":["ingest","read","admin"],"organisation_wide":true}`)
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodPatch, "/v1/applications/"+off.Name, `{"disabled":true}`).Status)
	made, _, _, err := access.NewKey(rand.Reader, false)
	require.NoError(t, err)
	mistyped := s.Admin[:20] + "x" + s.Admin[21:]
	if mistyped == s.Admin {
		mistyped = s.Admin[:20] + "y" + s.Admin[21:]
	}

	basic := base64.StdEncoding.EncodeToString([]byte(s.Admin + ":"))
	// None of these keys is accepted anywhere.
	strangers := map[string]string{
		"no key": "", "garbage": "Bearer garbage", "well-formed": "Bearer " + made, "mistyped": "Bearer " + mistyped,
		"revoked": "Bearer " + revoked, "disabled": "Bearer " + disabled, "basic": "Basic " + basic, "no scheme": s.Admin,
		"nothing behind": "Bearer ", "two keys": "Bearer " + s.Admin + ", " + s.Admin, "very long": "Bearer eye_" + strings.Repeat("x", 20_000),
		"hostile": "Bearer eye_' or 1=1; --", "no UTF-8": "Bearer \xff\xfe",
	}
	for _, route := range httpapi.Routes() {
		name := route.Method + " " + route.Template()
		expected, known := accessMatrix()[name]
		isOpen := slices.Contains(open(), name)
		require.NotEqual(t, known, isOpen, "%s: add the scopes that may use it to accessMatrix, or the route to open", name)
		for _, alias := range route.Paths {
			path := strings.NewReplacer(":id", newID(), ":category", newID(), ":name", "nobody").Replace(alias)
			t.Run(route.Method+" "+alias, func(t *testing.T) {
				t.Parallel()
				for kind, header := range strangers {
					answer := s.WithKey("").Do(t, route.Method, path, body(route.Method), "Authorization", header)
					if isOpen {
						require.Equal(t, http.StatusOK, answer.Status, kind)
						continue
					}

					requireProblem(t, answer, http.StatusUnauthorized, "unauthorized")
					require.True(t, strings.HasPrefix(answer.Header.Get("WWW-Authenticate"), `Bearer realm="the-eye"`), kind)
				}

				for key, may := range map[string]bool{s.Ingest: expected.ingest, s.Read: expected.read, s.ReadAll: expected.read, s.Admin: expected.admin} {
					answer := s.WithKey(key).Do(t, route.Method, path, body(route.Method))
					switch {
					case isOpen:
						require.Equal(t, http.StatusOK, answer.Status)
					case expected.public:
						requireProblem(t, answer, http.StatusUnauthorized, "unauthorized")
					case may:
						require.Equal(t, expected.status, answer.Status, "%s", answer.Body)
					default:
						requireProblem(t, answer, http.StatusForbidden, "forbidden")
						require.Empty(t, answer.Header.Get("WWW-Authenticate"))
					}
				}

				if expected.public {
					return
				}

				// The name of the scheme is not case-sensitive, and any number of spaces may
				// precede the key.
				answer := s.WithKey("").Do(t, route.Method, path, body(route.Method), "Authorization", "bEARER   "+s.Admin)
				require.NotEqual(t, http.StatusUnauthorized, answer.Status)
				if expected.status == http.StatusNotFound && len(route.Query) > 0 {
					return // the resource has to be found before its parameters are checked
				}

				// A parameter that the route does not know is not ignored.
				requireProblem(t, s.Do(t, route.Method, path+"?dry_run=true", body(route.Method)), http.StatusBadRequest, "unknown_parameter")
			})
		}
	}

	require.Len(t, httpapi.Routes(), len(accessMatrix())+len(open()), "an expectation without a route")
}

func body(method string) string {
	if method == http.MethodGet || method == http.MethodDelete {
		return ""
	}

	return "{}"
}

func TestNoRouteAndNoMethod(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	for _, path := range []string{
		"/", "/v1", "/v1/", "/v2/events", "/v1/events/", "/v1/events/a/b", "/v1/sessions/", "/v1//events", "/v1/limits/", "/V1/events", "/v1/event",
		"/livez", "/readyz", "/metrics", "/debug/pprof/", "/.env", "/v1/..%2f..%2fetc/passwd", "/%2e%2e/", "/v1/events%2f",
	} {
		requireProblem(t, s.Do(t, http.MethodGet, path, ""), http.StatusNotFound, "not_found")
	}

	for path, allowed := range map[string][]string{
		"/v1/events":                   {"GET", "HEAD", "POST"},
		"/events/":                     {"GET", "HEAD", "POST"},
		"/v1/events/" + newID():        {"GET", "HEAD", "PUT", "PATCH", "DELETE"},
		"/v1/validate":                 {"POST"},
		"/v1/applications/x":           {"GET", "HEAD", "PATCH"},
		"/v1/applications/x/keys":      {"GET", "HEAD", "POST"},
		"/v1/applications/x/keys/abcd": {"DELETE"},
		"/v1/limits":                   {"GET", "HEAD"},
	} {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", strings.Repeat("X", 5000)} {
			if slices.Contains(allowed, method) {
				continue
			}

			answer := s.WithKey("").Do(t, method, path, "")
			problem := requireProblem(t, answer, http.StatusMethodNotAllowed, "method_not_allowed")
			require.Less(t, len(at[string](t, problem, "detail")), 200)
			require.ElementsMatch(t, allowed, strings.Split(answer.Header.Get("Allow"), ", "), "%s %s", method, path)
		}
	}
}
