package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// A change to a type that has changed in the meantime is rejected, and a client that has the
// current version does not receive it again.
func TestEventTypesHaveTags(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	const path, first, second = "/v1/event-types/page/tagged", `{"schema":{"type":"object"}}`, `{"schema":{"type":"object"},"description":"2"}`
	put := func(body string, header ...string) *apptest.Answer {
		return s.Do(t, http.MethodPut, path, body, header...)
	}
	requireProblem(t, put(first, "If-Match", "*"), http.StatusPreconditionFailed, "precondition_failed")
	created := put(first, "If-None-Match", "*")
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	tag := created.Header.Get("ETag")
	require.Regexp(t, `^"1-[0-9a-f]{16}"$`, tag)
	requireProblem(t, put(second, "If-None-Match", "*"), http.StatusPreconditionFailed, "precondition_failed")
	require.Equal(t, tag, put(first).Header.Get("ETag"), "nothing was changed")
	for _, asked := range []string{path, path + "?version=1"} {
		read := s.Do(t, http.MethodGet, asked, "")
		require.Equal(t, tag, read.Header.Get("ETag"))
		for _, known := range []string{tag, "W/" + tag, "*"} {
			again := s.Do(t, http.MethodGet, asked, "", "If-None-Match", known)
			require.Equal(t, http.StatusNotModified, again.Status)
			require.Empty(t, again.Body)
		}
	}

	changed := put(second, "If-Match", "W/"+tag)
	require.Equal(t, http.StatusOK, changed.Status, "%s", changed.Body)
	next := changed.Header.Get("ETag")
	require.NotEqual(t, tag, next)
	require.Equal(t, next, s.Do(t, http.MethodGet, path, "").Header.Get("ETag"))
	require.Equal(t, tag, s.Do(t, http.MethodGet, path+"?version=1", "").Header.Get("ETag"))
	requireProblem(t, put(first, "If-Match", tag), http.StatusPreconditionFailed, "precondition_failed")
	requireProblem(t, s.Do(t, http.MethodDelete, path, "", "If-Match", tag), http.StatusPreconditionFailed, "precondition_failed")
	requireProblem(t, put(first, "If-Match", "tag"), http.StatusBadRequest, "invalid_header")
	requireProblem(t, put(first, "If-Match", ""), http.StatusBadRequest, "invalid_header")
	require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, path, "", "If-Match", next).Status)
	requireProblem(t, s.Do(t, http.MethodDelete, path, "", "If-Match", next), http.StatusNotFound, "not_found")
	requireProblem(t, put(second, "If-Match", next), http.StatusPreconditionFailed, "precondition_failed")
}

// A condition on a resource without a tag cannot be met, and is not ignored.
func TestConditionsOnWhatHasNoTag(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	requireProblem(t, s.Do(t, http.MethodPatch, "/v1/applications/shop", `{"disabled":true}`, "If-Match", `"x"`), http.StatusPreconditionFailed, "precondition_failed")
	requireProblem(t, s.Do(t, http.MethodPatch, "/v1/applications/shop", `{"disabled":true}`, "If-Match", ""), http.StatusBadRequest, "invalid_header")
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodPatch, "/v1/applications/shop", `{}`, "If-Match", "*").Status)
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodGet, "/v1/limits", "", "If-None-Match", `"x"`).Status)
}
