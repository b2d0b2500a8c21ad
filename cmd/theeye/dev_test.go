package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

// startDev starts a development service in a folder, on free ports.
func startDev(t *testing.T, folder string) *running {
	t.Helper()
	r := start(t, nil, "dev", "--data-dir", filepath.Join(folder, ".theeye"), "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
	t.Cleanup(func() {
		require.NoError(t, localpg.Remove(context.Background(), localpg.Options{DataDir: filepath.Join(folder, ".theeye", "postgres")}))
	})
	r.await(t, "Ctrl-C stops the service")
	return r
}

// folder creates a folder that the account of Postgres can reach.
func folder(t *testing.T) string {
	t.Helper()
	made, err := os.MkdirTemp("", "theeye-dev-") //nolint:usetesting // t.TempDir is closed to other accounts
	require.NoError(t, err)
	require.NoError(t, os.Chmod(made, 0o755))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(made)) })
	return made
}

// shell runs a script as if a user had pasted it.
func shell(t *testing.T, folder, script string) string {
	t.Helper()
	command := exec.CommandContext(context.Background(), "bash", "-euo", "pipefail", "-c", script)
	command.Dir = folder
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s\n%s", script, out)
	return string(out)
}

func TestDevGreetingKeysAndRestarts(t *testing.T) {
	t.Parallel()
	at := folder(t)
	r := startDev(t, at)
	greeting := r.log.String()
	post := greeting[strings.Index(greeting, "  curl"):strings.Index(greeting, "Read it back:")]
	read := greeting[strings.LastIndex(greeting, "  curl"):strings.Index(greeting, "Send from a page")]
	require.Contains(t, shell(t, at, post), `"status":"stored","sequence":1`)
	require.Contains(t, shell(t, at, read), `"name":"pageview"`)

	state, err := os.Stat(filepath.Join(at, ".theeye", "dev.env"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), state.Mode().Perm())
	const keys = `source .theeye/dev.env; echo $THEEYE_INGEST_KEY $THEEYE_READ_KEY $THEEYE_ADMIN_KEY`
	before := shell(t, at, keys)
	server := postmaster(t, at)
	require.Zero(t, r.stop(t, syscall.SIGINT))
	require.ErrorIs(t, syscall.Kill(server, 0), syscall.ESRCH, "Postgres stops with the service")

	r = startDev(t, at)
	require.Equal(t, before, shell(t, at, keys), "keys are kept")
	server = postmaster(t, at)
	r.stop(t, syscall.SIGKILL)
	require.NoError(t, syscall.Kill(server, 0), "Postgres outlives a service that was killed")

	r = startDev(t, at)
	require.Equal(t, server, postmaster(t, at), "and is taken over by the next")
	require.Contains(t, shell(t, at, `source .theeye/dev.env
		curl -sS $THEEYE_URL/v1/events -H "Authorization: Bearer $THEEYE_READ_KEY"`), `"name":"pageview"`)
	require.Zero(t, r.stop(t, syscall.SIGTERM))
}

func TestDevSaysWhatToDoAboutATakenPort(t *testing.T) {
	t.Parallel()
	at := folder(t)
	address := takenAddress(t)
	data := filepath.Join(at, ".theeye")
	for flag, other := range map[string]string{"--listen": "--ops-listen", "--ops-listen": "--listen"} {
		code, _, errOut := finish(t, nil, "dev", "--data-dir", data, flag, address, other, "127.0.0.1:0")
		require.Equal(t, 78, code, errOut)
		require.Contains(t, errOut, address+": bind: address already in use")
		require.Contains(t, errOut, `make run ARGS="`+flag+` 127.0.0.1:`)
		require.NotContains(t, errOut, flag+" "+address, "the advice is the taken address")
	}

	require.NoError(t, localpg.Remove(context.Background(), localpg.Options{DataDir: filepath.Join(data, "postgres")}))
}

// A container's /root is closed to the account that runs Postgres for root. For an ordinary user
// Postgres runs under the own account, and stays in the folder.
func TestDevRunsInAClosedFolder(t *testing.T) {
	t.Parallel()
	at := folder(t)
	require.NoError(t, os.Chmod(at, 0o700))
	if os.Geteuid() == 0 {
		requireClosedDataDirIsNamed(t, filepath.Join(at, "named"))
	}

	r := startIn(t, at, "dev", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
	link := filepath.Join(at, ".theeye", "postgres") // a folder itself for an ordinary user
	if os.Geteuid() == 0 {
		t.Cleanup(func() { removePlace(t, link) })
	}

	r.await(t, "Ctrl-C stops the service")
	place := link
	if os.Geteuid() == 0 {
		var err error
		place, err = os.Readlink(link)
		require.NoError(t, err)
		require.Regexp(t, `^/var/lib/theeye-dev-[0-9a-f]{12}/postgres$`, place)
	}

	require.Contains(t, r.log.String(), "The data is in "+place)
	require.Contains(t, shell(t, at, "source .theeye/dev.env\ncurl -sS $THEEYE_URL/v1/events -H \"Authorization: Bearer $THEEYE_READ_KEY\""), `"events":[]`)
	require.Zero(t, r.stop(t, syscall.SIGINT))
}

// requireClosedDataDirIsNamed requires that a data directory where Postgres cannot be is refused by
// its name.
func requireClosedDataDirIsNamed(t *testing.T, dir string) {
	t.Helper()
	code, _, errOut := finish(t, nil, "dev", "--data-dir", dir, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0")
	require.Equal(t, 78, code, errOut)
	require.Contains(t, errOut, "closed to the account that runs Postgres")
	require.NotContains(t, errOut, "cannot be reached")
}

// removePlace removes the data that a link leads to.
func removePlace(t *testing.T, link string) {
	t.Helper()
	place, err := os.Readlink(link)
	require.NoError(t, err)
	require.NoError(t, localpg.Remove(context.Background(), localpg.Options{DataDir: place}))
	require.NoError(t, os.Remove(filepath.Dir(place)))
}

// postmaster returns the process id of a development service's Postgres.
func postmaster(t *testing.T, folder string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, ".theeye", "postgres", "postmaster.pid"))
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(text), "\n")
	id, err := strconv.Atoi(first)
	require.NoError(t, err)
	return id
}
