package k6_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// command runs scripts/k6, and returns its exit code and its output.
func command(t *testing.T, env []string, scripts ...string) (code int, said string) {
	t.Helper()
	c := exec.CommandContext(context.Background(), filepath.Join("..", "..", "scripts", "k6"), scripts...)
	c.Env = append(c.Environ(), env...)
	out, err := c.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(out)
	}

	require.NoError(t, err)
	return 0, string(out)
}

func TestWithoutK6TheCommandSaysHowToGetIt(t *testing.T) {
	t.Parallel()
	code, said := command(t, []string{"K6=" + filepath.Join(t.TempDir(), "k6")}, "ingest")
	require.Equal(t, 69, code)
	for _, text := range []string{"AGPL", "neither ships nor links", "install-k6", "grafana/k6"} {
		require.Contains(t, said, text)
	}
}

func TestTheCommandRefusesScriptsThatAreNotThere(t *testing.T) {
	t.Parallel()
	code, said := command(t, []string{"K6=bash"}, "ingest", "digest")
	require.Equal(t, 64, code, said)
	require.Contains(t, said, "no eyeload/k6/digest.js")
}

func TestTheCommandStartsAServiceAndStopsIt(t *testing.T) {
	t.Parallel()
	folder, err := os.MkdirTemp("", "theeye-k6-") //nolint:usetesting // t.TempDir is closed to other accounts
	require.NoError(t, err)
	require.NoError(t, os.Chmod(folder, 0o711))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(folder)) })
	standIn, err := filepath.Abs(filepath.Join("testdata", "k6"))
	require.NoError(t, err)
	notes := filepath.Join(folder, "notes")
	code, said := command(t, []string{
		"K6=" + standIn, "NOTES=" + notes, "RATE=7", "DURATION=3s", "TMPDIR=" + folder,
	}, "ingest", "batch", "query")
	require.Equal(t, 99, code, said)

	noted, err := os.ReadFile(notes)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(noted)), "\n")
	require.Len(t, lines, 3, "the scripts after a failed one still run")
	for i, script := range []string{"ingest", "batch", "query"} {
		require.Contains(t, lines[i], "run eyeload/k6/"+script+".js RATE=7 DURATION=3s SUMMARY_DIR=bin/k6 200 http://")
	}

	address, err := url.Parse(lines[0][strings.LastIndex(lines[0], " ")+1:])
	require.NoError(t, err)
	_, err = (&net.Dialer{}).DialContext(context.Background(), "tcp", address.Host)
	require.Error(t, err, "the service is stopped")
	left, err := filepath.Glob(filepath.Join(folder, "*"))
	require.NoError(t, err)
	require.Equal(t, []string{notes}, left, "its data is gone")
}
