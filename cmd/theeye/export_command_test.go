package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// Runs of export that share a cursor file write each event once; a run with --follow writes
// the events that are stored while it runs.
func TestExport(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	dir := t.TempDir()
	keyFile, cursorFile := filepath.Join(dir, "key"), filepath.Join(dir, "cursor")
	require.NoError(t, os.WriteFile(keyFile, []byte(s.ReadAll+"\n"), 0o600))
	environ := []string{"THEEYE_URL=" + s.URL}
	arguments := []string{"export", "--key-file", keyFile, "--cursor-file", cursorFile, "--category", "page"}
	post := func(category string) string {
		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events",
			fmt.Sprintf(`{"session_id":"0198c7a2-aaaa-7b11-8d8d-000000000001","category":%q,"name":"view","data":{},"timestamp":"2021-01-01T09:15:27Z"}`, category))
		require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
		id, ok := answer.JSON(t)["event_id"].(string)
		require.True(t, ok, "%s", answer.Body)
		return id
	}
	written := ""
	for range 3 {
		id := post("page")
		post("other")
		for before := written; written == before; { // other tests hold the watermark back
			code, out, errOut := finish(t, environ, arguments...)
			require.Zero(t, code, errOut)
			written += out
		}

		require.Equal(t, 1, strings.Count(written, id))
	}

	require.Equal(t, 3, strings.Count(written, "\n"))
	cursor, err := os.ReadFile(cursorFile)
	require.NoError(t, err)
	for _, after := range []string{cursorFile, strings.TrimSpace(string(cursor))} {
		code, out, errOut := finish(t, append(environ, "THEEYE_KEY="+s.ReadAll), "export", "--after", after, "--category", "page")
		require.Zero(t, code, errOut)
		require.Empty(t, out)
	}

	followed := start(t, environ, append(arguments, "--follow", "--interval", "10ms")...)
	id := post("page")
	followed.await(t, id)
	require.Zero(t, followed.stop(t, syscall.SIGINT))

	for _, c := range []struct {
		environ   []string
		arguments string
		code      int
		says      string
	}{
		{nil, "export", 64, "THEEYE_KEY"},
		{[]string{"THEEYE_KEY=" + s.Read}, "export", 64, "THEEYE_URL"},
		{[]string{"THEEYE_READ_KEY=" + s.Read}, "export --url 127.0.0.1:1", 64, "URL"},
		{[]string{"THEEYE_KEY=" + s.Read}, "export --url http://127.0.0.1:1", 69, "cannot be reached"},
		{[]string{"THEEYE_KEY=" + s.Ingest}, "export --url " + s.URL, 1, "403"},
		{[]string{"THEEYE_KEY=" + s.Read}, "export --after nothing --url " + s.URL, 1, "cursor"},
		{[]string{"THEEYE_KEY=" + s.Read}, "export --interval 0s --url " + s.URL, 64, "--interval"},
		{nil, "export --key-file " + filepath.Join(dir, "none"), 1, "key"},
	} {
		code, _, errOut := finish(t, c.environ, strings.Fields(c.arguments)...)
		require.Equal(t, c.code, code, "%s: %s", c.arguments, errOut)
		require.Contains(t, errOut, c.says)
	}
}
