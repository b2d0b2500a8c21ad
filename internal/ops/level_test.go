package ops_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/the-eye-events/the-eye/internal/ops"
)

const levelPath = "/debug/log-level"

// lent is a port whose log the tests read.
type lent struct {
	*ops.Port
	level *ops.Level
	is    zap.AtomicLevel
	lines *observer.ObservedLogs
}

func newLent(configured zapcore.Level) lent {
	is := zap.NewAtomicLevelAt(configured)
	core, lines := observer.New(is)
	level := ops.NewLevel(is, zap.New(core), time.Now)
	return lent{ops.New(ops.Config{Level: level, Now: time.Now}), level, is, lines}
}

// state is the answer of the port about the level.
type state struct {
	Level      string     `json:"level"`
	Configured string     `json:"configured"`
	RevertsAt  *time.Time `json:"reverts_at"`
	RevertsIn  string     `json:"reverts_in"`
}

func (l lent) do(t *testing.T, method, body string) state {
	t.Helper()
	answer := ask(t, l, method, levelPath, body)
	require.Equal(t, http.StatusOK, answer.Code, answer.Body)
	var s state
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &s))
	require.Equal(t, l.is.Level().String(), s.Level)
	return s
}

func TestALevelComesBackByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLent(zap.InfoLevel)
		require.Equal(t, state{Level: "info", Configured: "info"}, l.do(t, http.MethodGet, ""))
		s := l.do(t, http.MethodPut, `{"level":"debug"}`)
		require.Equal(t, "debug", s.Level)
		require.Equal(t, "info", s.Configured)
		require.Equal(t, "10m0s", s.RevertsIn, "the default")
		require.WithinDuration(t, time.Now().Add(10*time.Minute), *s.RevertsAt, time.Second)
		<-time.After(10*time.Minute - time.Second)
		require.Equal(t, "1s", l.do(t, http.MethodGet, "").RevertsIn)
		<-time.After(time.Second)
		synctest.Wait()
		require.Equal(t, state{Level: "info", Configured: "info"}, l.do(t, http.MethodGet, ""))
	})
}

func TestALaterChangeReplacesTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLent(zap.WarnLevel)
		l.do(t, http.MethodPut, `{"level":"debug","for":"1m"}`)
		<-time.After(50 * time.Second)
		l.do(t, http.MethodPut, `{"level":"info","for":"24h"}`)
		<-time.After(24*time.Hour - time.Second)
		require.Equal(t, "info", l.do(t, http.MethodGet, "").Level, "the first one's end is forgotten")
		<-time.After(time.Second)
		synctest.Wait()
		require.Equal(t, "warn", l.do(t, http.MethodGet, "").Level, "back to what is configured, not to what was before")
	})
}

func TestALevelIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLent(zap.InfoLevel)
		l.do(t, http.MethodPut, `{"level":"debug"}`)
		require.Equal(t, state{Level: "info", Configured: "info"}, l.do(t, http.MethodDelete, ""))
		l.do(t, http.MethodDelete, "")
		<-time.After(time.Hour)
		require.Equal(t, 2, l.lines.Len(), "one line for the change, one for the way back, and none for nothing")
	})
}

// Every change leaves a log line, at all levels.
func TestEveryChangeIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, configured := range []string{"debug", "info", "warn", "error"} {
			for _, level := range []string{"debug", "info", "warn", "error"} {
				at, err := zapcore.ParseLevel(configured)
				require.NoError(t, err)
				l := newLent(at)
				l.do(t, http.MethodPut, `{"level":"`+level+`","for":"1m"}`)
				<-time.After(time.Minute)
				synctest.Wait()
				lines := l.lines.TakeAll()
				require.Len(t, lines, 2, "%s to %s", configured, level)
				for i, line := range lines {
					require.GreaterOrEqual(t, line.Level, zap.WarnLevel)
					fields := line.ContextMap()
					require.Equal(t, []string{configured, level}[i], fields["from"])
					require.Equal(t, []string{level, configured}[i], fields["to"])
				}

				require.Contains(t, lines[0].ContextMap(), "until")
				require.Contains(t, lines[0].ContextMap(), "remote")
			}
		}
	})
}

// A stop leaves no timer, which synctest would wait for, and no other level.
func TestStopTakesTheLevelBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLent(zap.InfoLevel)
		l.do(t, http.MethodPut, `{"level":"debug","for":"1h"}`)
		l.level.Stop()
		l.level.Stop()
		require.Equal(t, zap.InfoLevel, l.is.Level())
		answer := ask(t, l, http.MethodPut, levelPath, `{"level":"debug"}`)
		require.Equal(t, http.StatusServiceUnavailable, answer.Code)
		require.Equal(t, zap.InfoLevel, l.is.Level())
		<-time.After(2 * time.Hour)
		require.Equal(t, 2, l.lines.Len())
	})
}

func TestWrongLevels(t *testing.T) {
	t.Parallel()
	l := newLent(zap.InfoLevel)
	for body, want := range map[string]string{
		``:                                  "not a JSON object",
		`debug`:                             "not a JSON object",
		`"debug"`:                           "not a JSON object",
		`null`:                              "not a JSON object",
		`[{"level":"debug"}]`:               "not a JSON object",
		`{"level":"debug"} {}`:              "not a JSON object",
		`{}`:                                "debug, info, warn or error",
		`{"for":"1m"}`:                      "debug, info, warn or error",
		`{"level":""}`:                      "debug, info, warn or error",
		`{"level":"DEBUG"}`:                 "debug, info, warn or error",
		`{"level":"fatal"}`:                 "debug, info, warn or error",
		`{"level":null}`:                    "debug, info, warn or error",
		`{"level":-1}`:                      `"level" is not a string`,
		`{"Level":"debug"}`:                 "the only members",
		`{"level":"debug","until":"x"}`:     "the only members",
		`{"level":"debug","for":600}`:       `"for" is not a string`,
		`{"level":"debug","for":""}`:        "not a duration",
		`{"level":"debug","for":"10"}`:      "not a duration",
		`{"level":"debug","for":"1d"}`:      "not a duration",
		`{"level":"debug","for":"0"}`:       "between 1s and 24h",
		`{"level":"debug","for":"999ms"}`:   "between 1s and 24h",
		`{"level":"debug","for":"-5m"}`:     "between 1s and 24h",
		`{"level":"debug","for":"24h0m1s"}`: "between 1s and 24h",
		`{"level":"canary","for":"canary"}`: "",
		"{\"level\":\"\\u001b[31mcanary\"}": "",
	} {
		answer := ask(t, l, http.MethodPut, levelPath, body)
		require.Equal(t, http.StatusBadRequest, answer.Code, body)
		require.Contains(t, answer.Body.String(), want, body)
		require.Contains(t, answer.Body.String(), `{"level":"debug","for":"10m"}`, "what would be right")
		require.NotContains(t, answer.Body.String(), "canary")
	}

	answer := ask(t, l, http.MethodPut, levelPath, `{"level":"debug"`+strings.Repeat(" ", 1<<10)+`}`)
	require.Equal(t, http.StatusRequestEntityTooLarge, answer.Code)
	require.Equal(t, zap.InfoLevel, l.is.Level())
	require.Zero(t, l.lines.Len(), "nothing of it is logged")
}
