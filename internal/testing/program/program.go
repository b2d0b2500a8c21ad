// Package program builds the program of a main package for its tests, and runs it as users do. Only
// tests import it.
package program

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pathVariable is the environment variable with the path of the program.
const pathVariable = "EYE_TEST_BINARY"

// Build builds the package of the working directory to a path. It is for TestMain, and panics when
// the package cannot be built.
func Build(path string) {
	path, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}

	build := exec.CommandContext(context.Background(), "go", "build", "-o", path, ".") //nolint:gosec // a path that a test names
	if text, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, text))
	}

	if err := os.Setenv(pathVariable, path); err != nil {
		panic(err)
	}
}

// Path returns the path of the program that was built.
func Path() string { return os.Getenv(pathVariable) } //nolint:forbidigo // Build has set it

// Command prepares the program. Its environment is empty unless its caller sets it.
func Command(arguments ...string) *exec.Cmd {
	command := exec.CommandContext(context.Background(), Path(), arguments...) //nolint:gosec // the program under test
	command.Env = []string{}

	return command
}

// Finish runs a command to its end.
func Finish(t testing.TB, command *exec.Cmd) (code int, out, errOut string) {
	t.Helper()

	var stdout, stderr strings.Builder
	command.Stdout = &stdout
	command.Stderr = &stderr
	err := command.Run()
	if command.ProcessState == nil {
		require.NoError(t, err)
	}

	return command.ProcessState.ExitCode(), stdout.String(), stderr.String()
}
