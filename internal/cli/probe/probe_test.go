package probe_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/the-eye-events/the-eye/internal/cli/probe"
	"github.com/the-eye-events/the-eye/internal/doctor"
	"github.com/the-eye-events/the-eye/internal/ops"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service answers each path with the handler of a test.
type service map[string]http.HandlerFunc

func (s service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handle, found := s[r.URL.Path]; found {
		handle(w, r)
		return
	}

	http.NotFound(w, r)
}

func answers(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for n := 0; n < len(header); n += 2 {
			w.Header().Set(header[n], header[n+1])
		}

		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // the client may be gone
	}
}

// limits answers like the API.
func limits() http.HandlerFunc {
	return answers(http.StatusOK, `{"timestamp_max_ahead_seconds":5}`, "X-Request-Id", "7")
}

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func examine(t *testing.T, config probe.Config, deps probe.Deps) doctor.Report {
	t.Helper()
	if deps.Now == nil {
		deps.Now = time.Now
	}

	prober, err := probe.New(config, deps)
	require.NoError(t, err)
	return doctor.Examine(t.Context(), doctor.Config{Version: "v2", MaxAhead: 5 * time.Second}, doctor.Deps{Service: prober})
}

func requireFound(t *testing.T, r doctor.Report, check string, result doctor.Result, says string) {
	t.Helper()
	for _, f := range r.Findings {
		if f.Check == check {
			require.Equal(t, result, f.Result, "%+v", f)
			require.Contains(t, f.Found, says)
			return
		}
	}

	require.FailNow(t, "there is no check "+check)
}

func TestAServiceAsItShouldBe(t *testing.T) {
	t.Parallel()
	public := serve(t, service{"/v1/limits": limits()})
	ops := serve(t, service{
		"/livez":   answers(http.StatusOK, "ok\n"),
		"/readyz":  answers(http.StatusOK, `{"ready":true,"checks":[{"name":"database","ok":true,"required":false}]}`),
		"/metrics": answers(http.StatusOK, "# TYPE theeye_build_info gauge\ntheeye_build_info{goversion=\"go1\",revision=\"a\",version=\"v2\"} 1\n"),
	})
	r := examine(t, probe.Config{URL: public, OpsURL: ops}, probe.Deps{})
	for _, check := range []string{"service.answers", "service.request_id", "service.ops_hidden", "clock.service", "ops.live", "ops.ready", "ops.pprof", "ops.version"} {
		requireFound(t, r, check, doctor.OK, "")
	}

	requireFound(t, r, "service.certificate", doctor.Skipped, "not https")
	requireFound(t, r, "service.answers", doctor.OK, public)
}

func TestAServiceBehindAPath(t *testing.T) {
	t.Parallel()
	public := serve(t, service{"/eye/v1/limits": limits()})
	requireFound(t, examine(t, probe.Config{URL: public + "/eye/"}, probe.Deps{}), "service.answers", doctor.OK, "")
}

func TestWhatIsWrongOutside(t *testing.T) {
	t.Parallel()
	open := service{"/v1/limits": limits()}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		open[path] = answers(http.StatusOK, "")
	}

	open["/readyz"], open["/livez"] = answers(http.StatusServiceUnavailable, "not ready\n"), answers(http.StatusOK, "ok\n")
	requireFound(t, examine(t, probe.Config{URL: serve(t, open)}, probe.Deps{}),
		"service.ops_hidden", doctor.Failed, "/metrics, /livez, /readyz, /debug/pprof/")

	guarded := service{"/v1/limits": limits(), "/metrics": answers(http.StatusForbidden, ""), "/readyz": answers(http.StatusFound, "", "Location", "/livez")}
	requireFound(t, examine(t, probe.Config{URL: serve(t, guarded)}, probe.Deps{}), "service.ops_hidden", doctor.Warning, "/readyz is answered with 302")

	other := examine(t, probe.Config{URL: serve(t, service{"/v1/limits": answers(http.StatusOK, "<html>")})}, probe.Deps{})
	requireFound(t, other, "service.answers", doctor.Failed, "not as The Eye would")
	requireFound(t, other, "service.request_id", doctor.Warning, "")

	moved := answers(http.StatusMovedPermanently, "", "Location", "https://elsewhere.example.com/")
	requireFound(t, examine(t, probe.Config{URL: serve(t, service{"/v1/limits": moved})}, probe.Deps{}), "service.answers", doctor.Failed, "301")
}

func TestWhatIsWrongAtTheSecondPort(t *testing.T) {
	t.Parallel()
	r := examine(t, probe.Config{OpsURL: serve(t, service{
		"/livez":        answers(http.StatusOK, "ok\n"),
		"/readyz":       answers(http.StatusServiceUnavailable, `{"ready":false,"checks":[{"name":"state","ok":false,"required":true,"detail":"starting"},{"name":"database","ok":true}]}`),
		"/metrics":      answers(http.StatusOK, "theeye_build_info{version=\"v1\"} 1\n"),
		"/debug/pprof/": answers(http.StatusOK, "<html>"),
	})}, probe.Deps{})
	requireFound(t, r, "ops.ready", doctor.Failed, "503; state: starting")
	requireFound(t, r, "ops.pprof", doctor.Warning, "served")
	requireFound(t, r, "ops.version", doctor.Warning, "the service is v1, this program is v2")
	requireFound(t, r, "service.answers", doctor.Skipped, "--url")

	bare := examine(t, probe.Config{OpsURL: serve(t, service{"/livez": answers(http.StatusTeapot, "")})}, probe.Deps{})
	requireFound(t, bare, "ops.live", doctor.Failed, "418")
	requireFound(t, bare, "ops.ready", doctor.Failed, "404")
	requireFound(t, bare, "ops.version", doctor.Skipped, "")
}

// The probe reads the real ops port, not only a test's idea of it.
func TestARealSecondPort(t *testing.T) {
	t.Parallel()
	fails := func(text string) func(context.Context) error {
		return func(context.Context) error { return errors.New(text) }
	}
	reported := ops.Check{Name: "database", Run: fails("it is down")}
	for want, checks := range map[string][]ops.Check{
		"":                          {{Name: "state", Required: true, Run: func(context.Context) error { return nil }}},
		"database: it is down":      {reported},
		"503; state: it is to stop": {{Name: "state", Required: true, Run: fails("it is to stop")}},
	} {
		server := httptest.NewServer(ops.New(ops.Config{Now: time.Now, Ready: checks}))
		t.Cleanup(server.Close)
		r := examine(t, probe.Config{OpsURL: server.URL}, probe.Deps{})
		result := doctor.OK
		switch {
		case strings.HasPrefix(want, "503"):
			result = doctor.Failed
		case want != "":
			result = doctor.Warning
		}

		requireFound(t, r, "ops.ready", result, want)
		requireFound(t, r, "ops.live", doctor.OK, "")
	}

	// An unreadable answer does not count as a success.
	requireFound(t, examine(t, probe.Config{OpsURL: serve(t, service{
		"/livez": answers(http.StatusOK, "ok\n"), "/readyz": answers(http.StatusOK, "ok\n"),
	})}, probe.Deps{}), "ops.ready", doctor.Warning, "not a list of checks")
}

// late returns a clock that advances by a fixed time at each reading.
func late(step time.Duration) func() time.Time {
	at := time.Now()
	return func() time.Time {
		at = at.Add(step)
		return at
	}
}

func TestSlowAnswersAndClocks(t *testing.T) {
	t.Parallel()
	public := serve(t, service{"/v1/limits": limits()})
	requireFound(t, examine(t, probe.Config{URL: public}, probe.Deps{Now: late(3 * time.Second)}), "service.answers", doctor.Warning, "after 3s")
	for _, c := range []struct {
		ahead time.Duration
		want  doctor.Result
	}{{-3 * time.Second, doctor.Warning}, {time.Minute, doctor.Failed}} {
		now := func() time.Time { return time.Now().Add(-c.ahead) }
		requireFound(t, examine(t, probe.Config{URL: public}, probe.Deps{Now: now}), "clock.service", c.want, "")
	}
}

func TestAServiceThatIsAway(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	at := listener.Addr().String()
	require.NoError(t, listener.Close())
	r := examine(t, probe.Config{URL: "http://eye:canary-Zx81@" + at, OpsURL: "http://eye:canary-Zx81@" + at}, probe.Deps{})
	requireFound(t, r, "service.answers", doctor.Failed, "refused")
	requireFound(t, r, "ops.live", doctor.Failed, "refused")
	require.False(t, r.Summary.Reached)
	require.NotContains(t, fmt.Sprint(r), "canary")
}

// frozen begins an answer and never ends it, until the time of the call is over.
type frozen struct{ header bool }

func (f frozen) RoundTrip(*http.Request) (*http.Response, error) {
	if !f.header {
		return nil, context.DeadlineExceeded
	}

	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(iotest.ErrReader(context.DeadlineExceeded))}, nil
}

func TestAServiceThatIsFrozen(t *testing.T) {
	t.Parallel()
	for _, header := range []bool{false, true} {
		r := examine(t, probe.Config{URL: "http://eye", OpsURL: "http://eye"}, probe.Deps{Transport: frozen{header}})
		requireFound(t, r, "service.answers", doctor.Failed, "no answer within 10s")
		requireFound(t, r, "ops.live", doctor.Failed, "no answer within 10s")
	}
}

func TestURLsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"localhost:8080", "ftp://eye.example.com", "http://", "http://eye:canary-Zx81@[::1"} {
		_, err := probe.New(probe.Config{OpsURL: text}, probe.Deps{})
		require.ErrorContains(t, err, "--ops-url", text)
		require.NotContains(t, err.Error(), "canary")
	}
}

// certificate creates a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T, ends time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test"}, NotBefore: ends.AddDate(-1, 0, 0), NotAfter: ends,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		left time.Duration
		want doctor.Result
	}{{60 * day, doctor.OK}, {5 * day, doctor.Warning}, {-day, doctor.Failed}} {
		server := httptest.NewUnstartedServer(service{"/v1/limits": limits()})
		served, trusted := certificate(t, time.Now().Add(c.left))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{served}, MinVersion: tls.VersionTLS12}
		server.StartTLS()
		t.Cleanup(server.Close)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
		r := examine(t, probe.Config{URL: server.URL}, probe.Deps{Transport: transport})
		requireFound(t, r, "service.certificate", c.want, "")
		require.True(t, r.Summary.Reached)
		if c.left < 0 {
			requireFound(t, r, "service.certificate", c.want, "expired")
			requireFound(t, r, "service.answers", doctor.Failed, "see service.certificate")
		}

		untrusted := examine(t, probe.Config{URL: server.URL}, probe.Deps{})
		requireFound(t, untrusted, "service.certificate", doctor.Failed, "x509")
	}
}
