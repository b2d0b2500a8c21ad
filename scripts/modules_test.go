package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// besides are the modules that import the service's packages.
func besides() []string { return []string{"eyeload", "charts", "client/e2e"} }

// readVersions returns the versions that a go.mod names, by the module, and by "go" and
// "toolchain".
func readVersions(t *testing.T, module string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", module, "go.mod"))
	require.NoError(t, err)

	versions := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^\t?(\S+) (v?[0-9]\S*|go\S+)`).FindAllStringSubmatch(string(text), -1) {
		versions[line[1]] = line[2]
	}

	require.Contains(t, versions, "github.com/jackc/pgx/v5")
	return versions
}

// What is measured and tested from another module is the service as it is shipped only if
// it is built from the same versions.
func TestModulesAgreeOnVersions(t *testing.T) {
	t.Parallel()
	service := readVersions(t, ".")
	require.Contains(t, service, "toolchain")

	for _, module := range besides() {
		for path, version := range readVersions(t, module) {
			if wanted, shared := service[path]; shared {
				require.Equal(t, wanted, version, "%s in %s/go.mod: take the service's version, and run make tidy", path, module)
			}
		}
	}
}

func TestPackagesAreFoundInTheirModules(t *testing.T) {
	t.Parallel()
	run := func(packages, command string) string {
		run := exec.CommandContext(t.Context(), "bash", "modules", "bash", "-c", command, "in")
		run.Env = append(run.Environ(), "PKG="+packages)
		out, _ := run.CombinedOutput() // the code is printed by the command
		return string(out)
	}

	const show = `echo "${PWD##*/}: $*"`
	require.Equal(t, "eyeload: ./chaos ./load/...\n", run("./eyeload/chaos ./eyeload/load/...", show))
	require.Equal(t, "charts: ./...\n", run("./charts/...", show))
	require.Equal(t, "client: ./...\n", run("./client/...", show))
	require.Equal(t, "client: ./\ne2e: ./\n", run("./client ./client/e2e", show))
	require.Equal(t, 1, strings.Count(run("./internal/event", show), "\n"))
	require.Contains(t, run("./internal/event", show), ": ./internal/event\n")
	require.Equal(t, 6, strings.Count(run("./...", show), ": ./...\n"))
	require.Equal(t, 6, strings.Count(run("", show), ": \n"))

	const fails = `echo "${PWD##*/}"; exit 3`
	require.Equal(t, 6, strings.Count(run("./...", fails), "\n"), "a module that fails keeps none from being tried")
}
