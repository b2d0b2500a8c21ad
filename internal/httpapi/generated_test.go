//go:build generators

package httpapi_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// TestGeneratedClient generates a client from the OpenAPI document, as users do, and posts and
// reads with it. `make check-openapi` runs it; its generator is in a module of its own.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	tools, err := filepath.Abs("../../tools/openapi")
	require.NoError(t, err)
	document, err := filepath.Abs("openapi.json")
	require.NoError(t, err)
	place := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "roundtrip.go"} {
		text, err := os.ReadFile(filepath.Join(tools, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(place, name), text, 0o600))
	}

	run(t, tools, "go", "tool", "oapi-codegen", "-generate", "types,client", "-package", "main", "-o", filepath.Join(place, "client.go"), document)
	run(t, place, "go", "build", "-trimpath", "-tags", "generated", "-o", "roundtrip", ".")

	s := apptest.Start(t, nil)
	_, both := newKey(t, s, "shop", `{"scopes":["ingest","read"]}`)
	printed := run(t, place, filepath.Join(place, "roundtrip"), s.URL, both)
	require.Equal(t, "1 page view {\"path\":\"/\",\"times\":[1,2]}\n2 page view {\"path\":\"/\",\"times\":[1,2]}\n3 page view {\"path\":\"/\",\"times\":[1,2]}\n", printed)
}

// run runs a program in a folder and returns its output.
func run(t testing.TB, folder, name string, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Dir = folder
	output, err := command.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("%s: %v: %s", name, err, exit.Stderr)
	}

	require.NoError(t, err)
	return string(output)
}
