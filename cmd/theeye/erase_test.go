package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	program "github.com/the-eye-events/the-eye/cmd/theeye"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func TestEraseAndAudit(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	environ := []string{"THEEYE_DATABASE_URL=" + s.Database.DSN()}
	sender := s.WithKey(s.Ingest)
	session := uuid.NewString()
	one := func() (id, body string) {
		id = uuid.NewString()
		return id, `{"event_id":"` + id + `","session_id":"` + session + `","category":"page","name":"view","data":{"secret":"` + canary + `"},"timestamp":"2021-01-01T09:15:27Z"}`
	}
	post := func(body string, status int) map[string]any {
		t.Helper()
		answer := sender.Do(t, http.MethodPost, "/v1/events", body)
		require.Equal(t, status, answer.Status, "%s", answer.Body)
		return answer.JSON(t)
	}
	first, _ := one()
	second, retried := one()
	post(strings.Replace(retried, second, first, 1), http.StatusCreated)
	post(retried, http.StatusCreated)
	post(strings.Replace(retried, second, uuid.NewString(), 1)[1:], http.StatusBadRequest) // it cannot be parsed, but it names the session
	post(strings.Replace(strings.Replace(retried, second, uuid.NewString(), 1), `"page"`, `""`, 1), http.StatusBadRequest)

	for _, arguments := range [][]string{{"erase", "session", session}, {"erase", "event", first}} {
		code, out, errOut := finish(t, environ, arguments...)
		require.Equal(t, 64, code, out)
		require.Contains(t, errOut, "--yes")
		require.Empty(t, out)
	}

	code, out, errOut := finish(t, environ, "erase", "event", first, "--yes", "--json")
	require.Zero(t, code, errOut)
	require.JSONEq(t, `{"event_id":"`+first+`"}`, out)
	code, out, errOut = finish(t, environ, "erase", "session", session, "--yes")
	require.Zero(t, code, errOut)
	require.Regexp(t, `^sessions +1\nevents +1\nerrors +2\n$`, out)

	// An erased event that is sent again is rejected, and nothing is left to erase.
	refused, err := json.Marshal(post(retried, http.StatusBadRequest)["errors"])
	require.NoError(t, err)
	require.Contains(t, string(refused), `"code":"session_erased"`)
	for _, arguments := range [][]string{{"erase", "event", first, "--yes"}, {"erase", "event", second, "--yes"}, {"erase", "session", uuid.NewString(), "--yes"}} {
		code, out, errOut := finish(t, environ, arguments...)
		require.Equal(t, 1, code, "%v: %s", arguments, out)
		require.NotEmpty(t, errOut)
	}

	code, _, errOut = finish(t, environ, "erase", "session", "shop", "--yes")
	require.Equal(t, 64, code, "no id: %s", errOut)

	code, out, errOut = finish(t, environ, "audit", "--target", session, "--json")
	require.Zero(t, code, errOut)
	var entries []map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &entries))
	require.Len(t, entries, 1)
	require.Equal(t, "session.erased", entries[0]["action"])
	require.Regexp(t, "^command(:.+)?$", entries[0]["actor"])
	code, out, errOut = finish(t, environ, "audit", "--action", "event.erased", "--from", "2021-01-01")
	require.Zero(t, code, errOut)
	require.Regexp(t, `(?m)^AT +ACTOR +ACTION +TARGET +DETAIL\n\S+Z +command\S* +event\.erased +`+first+` +\{"session_id": ?"`+session+`"\}$`, out)
	code, out, _ = finish(t, environ, "audit", "--limit", "2", "--json")
	require.Zero(t, code)
	require.NoError(t, json.Unmarshal([]byte(out), &entries))
	require.Len(t, entries, 2)
	require.NotContains(t, out, canary)
	for arguments, want := range map[string]int{"audit --limit 0": 64, "audit --action event.read": 64, "audit --from yesterday": 64} {
		code, _, errOut := finish(t, environ, strings.Fields(arguments)...)
		require.Equal(t, want, code, "%s: %s", arguments, errOut)
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	require.NoError(t, program.Ask(strings.NewReader("yes\n"), io.Discard, "Sure?"))
	for _, answer := range []string{"\n", "no\n", "YES!\n", "y\n"} {
		require.Error(t, program.Ask(strings.NewReader(answer), io.Discard, "Sure?"), answer)
	}

	require.ErrorIs(t, program.Ask(strings.NewReader(""), io.Discard, "Sure?"), io.EOF)
}
