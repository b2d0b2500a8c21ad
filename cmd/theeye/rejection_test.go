package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// A range of times that selects nothing closes nothing, and one that cannot be read is a usage
// error that names its flag, as the API has it.
func TestRangesOfTimes(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	environ := []string{"THEEYE_DATABASE_URL=" + s.Database.DSN()}
	answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", `{"category":"shop","name":"buy"}`)
	require.Equal(t, http.StatusBadRequest, answer.Status, "%s", answer.Body)

	code, out, errOut := finish(t, environ, "rejection", "discard", "--category", "shop", "--to", "0001-01-01", "--dry-run")
	require.Zero(t, code, errOut)
	require.JSONEq(t, `{"matched":0,"discarded":0,"skipped":0}`, out)

	for _, command := range []string{"rejection list", "rejection discard", "rejection replay", "audit"} {
		for bounds, says := range map[string]string{
			"--from 2022-01-01 --to 2021-01-01":         "theeye: --to lies before --from\n",
			"--from 2021-01-01T00:00:00":                "theeye: --from does not say in which zone it is: add Z or an offset",
			"--from 2021-01-01 --to yesterday":          "theeye: --to is a time such as",
			"--from yesterday --to 2021-01-01T00:00:00": "theeye: --from is a time such as 2021-01-01T09:15:27Z, or a day such as 2021-01-01\n--to does not say",
		} {
			code, out, errOut := finish(t, environ, strings.Fields(command+" "+bounds)...)
			require.Equal(t, 64, code, "%s %s: %s", command, bounds, out)
			require.Contains(t, errOut, says, "%s %s", command, bounds)
		}
	}

	for _, command := range []string{"rejection list", "rejection discard", "rejection replay", "audit"} {
		code, _, errOut := finish(t, environ, append(strings.Fields(command), "--to", "")...) // a script's unset variable
		require.Equal(t, 64, code, command)
		require.Contains(t, errOut, `"--to" flag: it is empty; give a value, or leave it out`, command)
	}

	code, _, errOut = finish(t, environ, "audit", "--action", "nonsense")
	require.Equal(t, 64, code)
	require.Contains(t, errOut, "--action must be one of: application.created")
}

func TestRejections(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	environ := []string{"THEEYE_DATABASE_URL=" + s.Database.DSN()}
	run := func(code int, arguments ...string) (out, errOut string) {
		t.Helper()
		got, out, errOut := finish(t, environ, append([]string{"rejection"}, arguments...)...)
		require.Equal(t, code, got, "%v: %s%s", arguments, out, errOut)
		return out, errOut
	}
	setType := func(schema string) {
		t.Helper()
		answer := s.Do(t, http.MethodPut, "/v1/event-types/shop/buy", `{"schema":`+schema+`,"mode":"enforce"}`)
		require.Less(t, answer.Status, 300, "%s", answer.Body)
	}
	refused := func(name string) string {
		t.Helper()
		answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events",
			`{"session_id":"`+uuid.NewString()+`","category":"shop","name":"`+name+`","data":{},"timestamp":"2021-01-01T09:15:27Z"}`)
		require.Equal(t, http.StatusBadRequest, answer.Status, "%s", answer.Body)
		id, ok := answer.JSON(t)["error_id"].(string)
		require.True(t, ok)
		return id
	}
	setType(`{"required":["price"]}`)
	first, second, third := refused("buy"), refused("buy"), refused("")

	out, _ := run(0, "list")
	require.Regexp(t, `^RECEIVED AT +STATUS +CODE +APPLICATION +CATEGORY +NAME +ERROR ID\n`, out)
	require.Regexp(t, `(?m)^\S+Z +open +schema_violation +shop +"shop" +"buy" +`+first+`$`, out)
	require.Regexp(t, `(?m)^\S+Z +open +invalid_length +shop +"shop" +- +`+third+`$`, out)
	out, _ = run(0, "list", "--code", "schema_violation", "--limit", "1", "--json")
	require.Equal(t, 1, strings.Count(out, "\n"))
	listed := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(out), &listed))
	require.Equal(t, second, listed["error_id"])
	shown, _ := run(0, "show", second)
	require.Equal(t, out, shown)

	// An unchanged event is rejected again; then its cause is fixed.
	out, _ = run(0, "replay", "--code", "schema_violation")
	require.JSONEq(t, `{"matched":2,"stored":0,"duplicates":0,"rejected":2,"skipped":0}`, out)
	setType(`{}`)
	out, _ = run(0, "replay", "--name", "buy", "--dry-run")
	require.JSONEq(t, `{"matched":2,"stored":2,"duplicates":0,"rejected":0,"skipped":0}`, out)
	out, _ = run(0, "replay", first)
	require.JSONEq(t, `{"matched":1,"stored":1,"duplicates":0,"rejected":0,"skipped":0}`, out)
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodGet, "/v1/events/"+first, "").Status)
	out, _ = run(0, "replay", "--all")
	require.JSONEq(t, `{"matched":2,"stored":1,"duplicates":0,"rejected":1,"skipped":0}`, out)
	out, _ = run(0, "discard", third, "--dry-run")
	require.JSONEq(t, `{"matched":1,"discarded":0,"skipped":0}`, out)
	out, _ = run(0, "discard", third)
	require.JSONEq(t, `{"matched":1,"discarded":1,"skipped":0}`, out)
	out, _ = run(0, "list", "--status", "open", "--json")
	require.Empty(t, out)
	shown, _ = run(0, "show", second)
	require.Contains(t, shown, `"outcome":"stored"`)

	code, out, errOut := finish(t, environ, "audit", "--action", "errors.replayed", "--target", "ids", "--json")
	require.Zero(t, code, errOut)
	require.Contains(t, out, `"stored": 1`)

	for arguments, want := range map[string]int{
		"replay": 64, "discard": 64, "replay --all --name x": 64, "replay nonsense": 64, "replay " + first + " --all": 64, "show " + uuid.NewString(): 1, "show": 64, "list --status closed": 64,
		"list --limit 0": 64, "list --from yesterday": 64, "replay --limit -1 --all": 64, "list all": 64,
	} {
		out, errOut := run(want, strings.Fields(arguments)...)
		require.Empty(t, out, arguments)
		require.NotEmpty(t, errOut, arguments)
	}
}

// One event that a trigger of an operator rejects does not stop the replay of the others: it stays
// open, is counted as skipped, and is named with its cause.
func TestReplayPastAnEventThatATriggerRejects(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	const n, obstructed = 601, 70
	environ := []string{"THEEYE_DATABASE_URL=" + s.Database.DSN()}
	putType := func(schema string) {
		t.Helper()
		answer := s.Do(t, http.MethodPut, "/v1/event-types/shop/buy", `{"schema":`+schema+`,"mode":"enforce"}`)
		require.Less(t, answer.Status, 300, "%s", answer.Body)
	}
	putType(`{"required":["price"]}`)
	events := make([]string, n)
	secret := uuid.Must(uuid.NewV7()).String()
	for i := range events {
		id, data := uuid.Must(uuid.NewV7()).String(), `{}`
		if i == obstructed {
			id, data = secret, `{"secret":1}`
		}

		events[i] = fmt.Sprintf(`{"event_id":%q,"session_id":%q,"category":"shop","name":"buy","data":%s,"timestamp":"2021-01-01T09:15:27Z"}`, id, uuid.NewString(), data)
	}

	answer := s.WithKey(s.Ingest).Do(t, http.MethodPost, "/v1/events", `[`+strings.Join(events, ",")+`]`)
	require.Contains(t, string(answer.Body), `"rejected":601`)
	putType(`{}`)
	pool := s.Database.Pool(t)
	_, err := pool.Exec(context.Background(), `create function refuse() returns trigger language plpgsql as $$ begin
		if new.data ? 'secret' then raise exception 'no secrets'; end if; return new; end $$;
		create trigger refuse before insert on event for each row execute function refuse()`)
	require.NoError(t, err)

	code, out, errOut := finish(t, environ, "rejection", "replay", "--category", "shop")
	require.Zero(t, code, "%s%s", out, errOut)
	require.JSONEq(t, `{"matched":601,"stored":600,"duplicates":0,"rejected":0,"skipped":1}`, out)
	require.Contains(t, errOut, "a trigger or constraint added to the database rejects an event of a replay")
	require.Contains(t, errOut, secret)
	require.Contains(t, errOut, "no secrets")

	answer = s.Do(t, http.MethodPost, "/v1/errors/replay", `{"category":"shop"}`)
	require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
	require.JSONEq(t, `{"matched":1,"stored":0,"duplicates":0,"rejected":0,"skipped":1}`, string(answer.Body), "it is released, and the service does the same")

	_, err = pool.Exec(context.Background(), "drop trigger refuse on event")
	require.NoError(t, err)
	_, out, errOut = finish(t, environ, "rejection", "replay", "--category", "shop")
	require.JSONEq(t, `{"matched":1,"stored":1,"duplicates":0,"rejected":0,"skipped":0}`, out, errOut)
}
