package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/doctor"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
	"github.com/the-eye-events/the-eye/internal/testing/program"
)

func TestDoctorExitCodes(t *testing.T) {
	t.Parallel()
	away := "http://eye:" + canary + "@127.0.0.1:1"
	broken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(broken.Close)
	database := "THEEYE_DATABASE_URL=" + unreachable
	for _, c := range []struct {
		name      string
		environ   []string
		arguments []string
		code      int
		says      string
	}{
		{"nothing to look at", nil, nil, 78, "--url"},
		{"neither is reached", []string{database}, []string{"--url", away, "--ops-url", away}, 69, "cannot be reached"},
		{"no database is reached", []string{database}, nil, 69, "cannot be reached"},
		{"the service by its variable", []string{"THEEYE_URL=" + away}, nil, 69, "service"},
		{"one is reached", []string{database}, []string{"--url", broken.URL}, 1, "2 checks failed"},
		{"no URL", []string{database}, []string{"--url", "eye:" + canary}, 64, "--url"},
		{"negative", []string{database}, []string{"--replicas", "-1"}, 64, "--replicas"},
		{"not a number", []string{database}, []string{"--replicas", "many"}, 64, "--replicas"},
		{"superfluous", []string{database}, []string{"now"}, 64, "now"},
		{"wrong setting", []string{database}, []string{"--database-read-connections", "0"}, 78, "database.read_connections"},
		{"wrong database URL", []string{"THEEYE_DATABASE_URL=postgres://eye:" + canary + "@[::1"}, nil, 78, "database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, out, errOut := finish(t, c.environ, append([]string{"doctor"}, c.arguments...)...)
			require.Equal(t, c.code, code, "%s%s", out, errOut)
			require.Contains(t, errOut, c.says)
			require.NotContains(t, out+errOut, canary)
		})
	}
}

func TestDoctorOfARunningService(t *testing.T) {
	t.Parallel()
	s := apptest.StartOn(t, pgtest.NewDedicated(t), nil)
	environ := []string{"THEEYE_DATABASE_URL=" + s.Database.DSN(), "THEEYE_URL=" + s.URL, "THEEYE_OPS_URL=" + s.Ops}
	require.Eventually(t, func() bool { // the service makes partitions when it has started
		code, _, _ := finish(t, environ, "doctor")
		return code == 0
	}, time.Minute, 50*time.Millisecond)
	code, out, errOut := finish(t, environ, "doctor", "--json")
	require.Zero(t, code, "%s%s", out, errOut)
	var report doctor.Report
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.Zero(t, report.Summary.Failed, out)
	require.True(t, report.Summary.Reached)

	code, out, errOut = finish(t, environ, "doctor", "--replicas", "400")
	require.Equal(t, 1, code, "%s%s", out, errOut)
	require.Regexp(t, `(?m)^  failed   database\.connections .*\n +-> Raise max_connections`, out)
	require.Regexp(t, `(?m)^  ok       service\.answers `, out)
	require.Contains(t, errOut, "1 check failed")

	code, out, _ = finish(t, environ, "doctor", "--url", s.Ops, "--ops-url", s.URL)
	require.Equal(t, 1, code)
	require.Regexp(t, `(?m)^  failed   service\.ops_hidden +publicly reachable: /metrics, /livez, `, out)
}

// An interrupted doctor reports nothing: what it would find are only consequences of the
// interruption.
func TestAnInterruptedDoctorReportsNothing(t *testing.T) {
	t.Parallel()
	for _, arguments := range [][]string{{"doctor"}, {"doctor", "--json"}} {
		asked := make(chan struct{}, 1)
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			asked <- struct{}{}
			<-r.Context().Done()
		}))
		t.Cleanup(server.Close)
		r := start(t, []string{"THEEYE_URL=" + server.URL}, arguments...)
		select {
		case <-asked:
		case <-time.After(time.Minute):
			require.FailNow(t, "the doctor does not ask the service", "%s", r.log)
		}

		require.Equal(t, 130, r.stop(t, syscall.SIGINT))
		require.Empty(t, r.log.String())
	}
}

// With theeye dev running and its dev.env sourced, the doctor finds nothing.
func TestDoctorOfADevelopmentService(t *testing.T) {
	t.Parallel()
	at := folder(t)
	r := startDev(t, at)
	// The service makes partitions when it has started.
	out := shell(t, at, "source .theeye/dev.env; for n in {1..200}; do "+program.Path()+" doctor > found && break; done; cat found")
	require.Regexp(t, ` 0 failed, \d skipped\n$`, out)
	require.Regexp(t, `(?m)^  ok       ops\.ready `, out)
	require.Regexp(t, `(?m)^  ok       service\.answers `, out)
	require.Zero(t, r.stop(t, syscall.SIGINT))
}
