package main_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// metrics serves the two samples of internal/cli/top: the first once, then the second.
func metrics(t *testing.T) string {
	t.Helper()
	var asked atomic.Int64
	var samples []string
	for _, name := range []string{"first.prom", "second.prom"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "internal", "cli", "top", "testdata", name))
		require.NoError(t, err)
		samples = append(samples, string(text))
	}

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(samples[min(asked.Add(1), 2)-1])) // the program may be gone
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestTop(t *testing.T) {
	t.Parallel()
	const away = "http://127.0.0.1:1"
	for name, c := range map[string]struct {
		arguments string
		code      int
		out, says string
	}{
		"once":             {arguments: "--once --interval 0.2s --ops " + metrics(t), out: "ready 1/1  replicas 1/1"},
		"into a pipe":      {arguments: "--interval 200ms --ops " + metrics(t), out: "timestamp_in_future  shop"},
		"as JSON":          {arguments: "--json --interval 0.2s --ops " + metrics(t), out: `"ready_replicas": 1,`},
		"none, as JSON":    {arguments: "--json --interval 0.2s --ops " + away, code: 69, says: "127.0.0.1:1: cannot connect"},
		"one of two":       {arguments: "--once --interval 0.2s --ops " + away + " --ops " + metrics(t), out: "127.0.0.1:1 cannot connect: connection refused"},
		"none":             {arguments: "--once --interval 0.2s --ops " + away, code: 69, says: "127.0.0.1:1: cannot connect"},
		"too often":        {arguments: "--interval 100ms", code: 64, says: "interval"},
		"too seldom":       {arguments: "--interval 61s", code: 64, says: "interval"},
		"no interval":      {arguments: "--interval soon", code: 64, says: "soon"},
		"no URL":           {arguments: "--ops 127.0.0.1:8081", code: 64, says: "http://127.0.0.1:8081"},
		"given twice":      {arguments: "--ops http://a --ops http://a/", code: 64, says: "twice"},
		"superfluous":      {arguments: "now", code: 64, says: "now"},
		"no key is needed": {arguments: "--key x", code: 64, says: "key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, errOut := finish(t, []string{"TERM=xterm-256color"}, append([]string{"top"}, strings.Fields(c.arguments)...)...)
			require.Equal(t, c.code, code, "%s%s", out, errOut)
			require.Contains(t, out, c.out)
			require.Contains(t, errOut, c.says)
			require.NotContains(t, out, "\x1b")
		})
	}
}
