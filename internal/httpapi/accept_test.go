package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// filledPath makes a path of a route with names and ids that do not exist.
func filledPath(route httpapi.Route) string {
	return strings.NewReplacer(":id", newID(), ":name", "nothing", ":category", "nothing").Replace(route.Paths[0])
}

// An Accept header that cannot be met is rejected before any work, at every route whose response
// has a body, with the list of offered types.
func TestAcceptThatCannotBeMetIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	bodiless := map[string]bool{
		"DELETE /v1/events/{id}": true, "DELETE /v1/event-types/{category}/{name}": true, "DELETE /v1/applications/{name}/keys/{id}": true,
	}
	document := openAPI(t)
	_, public := newKey(t, s, "shop", `{"public":true,"any_origin":true}`)
	for _, route := range httpapi.Routes() {
		name := route.Method + " " + route.Template()
		path := filledPath(route)
		if route.Scope == "collect" {
			path += "?key=" + public
		}

		for _, accept := range []string{"text/html", "application/xml, text/csv;q=0, application/json;q=0", "application/json;q=0"} {
			answer := s.Do(t, route.Method, path, body(route.Method), "Accept", accept)
			switch {
			case bodiless[name]:
				requireProblem(t, answer, http.StatusNotFound, "not_found")
			case answer.Status == http.StatusNotAcceptable || accept != "application/json;q=0":
				problem := requireProblem(t, answer, http.StatusNotAcceptable, "not_acceptable")
				require.Contains(t, problem["detail"], "accept application/json", name)
			default: // q=0 for one of several leaves the others
				require.NotEmpty(t, answer.Header.Get("Content-Type"), name)
			}
		}

		responses := at[map[string]any](t, document, "paths", route.Template(), strings.ToLower(route.Method), "responses")
		if bodiless[name] {
			require.NotContains(t, responses, "406", name)
		} else {
			require.Contains(t, responses, "406", name)
		}
	}

	require.Empty(t, mustGet(t, s.Client, "/v1/events")["events"], "nothing was stored")
	require.Empty(t, mustGet(t, s.Client, "/v1/errors")["errors"], "nothing was rejected for its content")
}

// HEAD answers wherever GET does, with the headers of GET.
func TestHeadAnswersWhereverGetDoes(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	path, _ := postStored(t, s, newEvent(t, newID()))
	session := at[string](t, mustGet(t, s.Client, path), "session_id")
	mustPost(t, s.WithKey(s.Ingest), newEvent(t, session))
	require.Equal(t, http.StatusBadRequest, s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", `{}`).Status)
	require.Equal(t, http.StatusCreated, s.Do(t, http.MethodPut, "/v1/event-types/page/view", `{"schema":{}}`).Status)
	id := strings.TrimPrefix(path, "/v1/events/")
	paths := []string{"/nothing", "/v1/events?limit=1", "/v1/events?limit=nonsense", "/v1/event-types/page/view", "/v1/sessions/" + session, "/v1/sessions/" + session + "/events"}
	for _, route := range httpapi.Routes() {
		if route.Method == http.MethodGet {
			paths = append(paths, strings.NewReplacer(":id", id, ":name", "shop", ":category", "nothing").Replace(route.Paths[0]))
		}
	}

	for _, path := range paths {
		for _, key := range []string{s.Admin, ""} {
			for _, accept := range []string{"*/*", lineType, "text/csv"} {
				get := s.WithKey(key).Do(t, http.MethodGet, path, "", "Accept", accept)
				head := s.WithKey(key).Do(t, http.MethodHead, path, "", "Accept", accept)
				require.Equal(t, get.Status, head.Status, "%s %s", path, accept)
				require.Empty(t, head.Body)
				for _, same := range []string{"Content-Type", "Etag", "Link", "Www-Authenticate", "Allow"} {
					require.Equal(t, get.Header.Get(same), head.Header.Get(same), "%s %s %s", path, accept, same)
				}

				if get.Status == http.StatusOK && !strings.Contains(path, "limits") && !strings.Contains(path, "stat") && get.Header.Get("Content-Length") != "" &&
					!strings.Contains(path, "changes") && !strings.Contains(path, "audit") {
					require.Equal(t, get.Header.Get("Content-Length"), head.Header.Get("Content-Length"), path)
				}
			}
		}
	}
}

// HTTP/1.0 gets no streams: it cannot distinguish an interrupted stream from a complete one.
func TestStreamsAreRefusedToHTTP10(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	mustPost(t, s.WithKey(s.Ingest), newEvent(t, newID()))
	ask := func(path, accept string) reply {
		return exchange(t, dial(t, s), "GET "+path+" HTTP/1.0\r\nHost: a\r\nAuthorization: Bearer "+s.Admin+"\r\nAccept: "+accept+"\r\n\r\n")
	}
	for _, path := range []string{"/v1/events", "/events/", "/v1/sessions", "/v1/errors", "/v1/audit"} {
		require.Equal(t, http.StatusHTTPVersionNotSupported, ask(path, "text/csv").status, path)
		require.Equal(t, http.StatusOK, ask(path, "application/json").status, path)
	}

	for _, path := range []string{"/v1/events", "/v1/events/changes"} {
		require.Equal(t, http.StatusHTTPVersionNotSupported, ask(path, lineType).status, path)
		require.Equal(t, http.StatusOK, ask(path, lineType+";q=0.1, */*;q=0.5").status, path)
	}

	// A response with a length is not a stream.
	require.Equal(t, http.StatusOK, ask("/v1/stats", "text/csv").status)
}
