package main_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	program "github.com/the-eye-events/the-eye/cmd/theeye"
)

func TestHealthcheckAsksWhetherTheServiceIsReady(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && r.URL.Path == "/readyz" {
				w.WriteHeader(status)
			} else {
				w.WriteHeader(http.StatusTeapot)
			}

			_, _ = w.Write([]byte(body)) // the probe notices
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	ready, away := answer(http.StatusOK, "ok\n"), answer(http.StatusServiceUnavailable, "[-]state failed: it stops\n")
	address := ready[len("http://"):]
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hanging.Close)
	for name, c := range map[string]struct {
		environ   []string
		arguments []string
		code      int
		says      string
	}{
		"ready":                                   {arguments: []string{"--ops", ready}, says: "ok\n"},
		"with a slash":                            {arguments: []string{"--ops", ready + "/"}, says: "ok\n"},
		"as the variable says":                    {environ: []string{"THEEYE_OPS_LISTEN=" + address}, says: "ok\n"},
		"as the flag says":                        {arguments: []string{"--ops-listen", address}, says: "ok\n"},
		"as the URL of dev.env says":              {environ: []string{"THEEYE_OPS_URL=" + ready + "/", "THEEYE_OPS_LISTEN=127.0.0.1:1"}, says: "ok\n"},
		"a flag before the URL of dev.env":        {environ: []string{"THEEYE_OPS_URL=" + away}, arguments: []string{"--ops", ready}, says: "ok\n"},
		"a listen flag before the URL of dev.env": {environ: []string{"THEEYE_OPS_URL=" + away}, arguments: []string{"--ops-listen", address}, says: "ok\n"},
		"no address in dev.env":                   {environ: []string{"THEEYE_OPS_URL=::"}, code: 64, says: "THEEYE_OPS_URL"},
		"not by way of a proxy":                   {environ: []string{"HTTP_PROXY=" + away, "http_proxy=" + away}, arguments: []string{"--ops", ready}, says: "ok\n"},
		"not ready":                               {arguments: []string{"--ops", away}, code: 1, says: "503 Service Unavailable\n[-]state failed: it stops"},
		"no listener":                             {arguments: []string{"--ops", "http://127.0.0.1:1"}, code: 1, says: "does not answer"},
		"no answer":                               {arguments: []string{"--ops", hanging.URL, "--timeout", "50ms"}, code: 1, says: "does not answer"},
		"no address":                              {arguments: []string{"--ops", "::"}, code: 64, says: "--ops"},
		"an unknown setting":                      {environ: []string{"THEEYE_OPS_LISTN=:1"}, code: 78, says: "THEEYE_OPS_LISTN"},
		"an argument too many":                    {arguments: []string{"now"}, code: 64, says: "now"},
		"a path that is not there":                {arguments: []string{"--ops", ready + "/livez"}, code: 1, says: "418"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, errOut := finish(t, c.environ, append([]string{"healthcheck"}, c.arguments...)...)
			require.Equal(t, c.code, code, "%s%s", out, errOut)
			require.Contains(t, out+errOut, c.says)
		})
	}
}

func TestHealthcheckFindsTheServiceOnItsOwnMachine(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		":8081": "http://127.0.0.1:8081", "0.0.0.0:9": "http://127.0.0.1:9", "[::]:9": "http://[::1]:9",
		"10.0.0.1:9": "http://10.0.0.1:9", "[fd00::1]:9": "http://[fd00::1]:9", "ops.local:9": "http://ops.local:9",
	} {
		got, err := program.OpsURL(listen)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}
