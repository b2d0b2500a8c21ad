//go:build generators

package httpapi_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// The tests of this file generate clients from the OpenAPI document, as users do, and post and
// read with them. `make check-openapi` runs them; their generators are in modules of their own.

// copyFiles copies files of a folder into a temporary one, and returns both.
func copyFiles(t *testing.T, folder string, names ...string) (from, to string) {
	t.Helper()
	from, err := filepath.Abs(filepath.Join("../..", folder))
	require.NoError(t, err)

	to = t.TempDir()
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(from, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, name), text, 0o600))
	}

	return from, to
}

// documentPath returns the path of the OpenAPI document.
func documentPath(t *testing.T) string {
	t.Helper()
	document, err := filepath.Abs("openapi.json")
	require.NoError(t, err)
	return document
}

// npmTools returns the node_modules of the tools from npm.
func npmTools(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(run(t, ".", "../../scripts/npm-tools", "tools/openapi"))
}

// oapi-codegen makes a client, servers of both kinds, and the document itself, all in one package.
func TestGeneratedClientOfOapiCodegen(t *testing.T) {
	t.Parallel()
	tools, place := copyFiles(t, "tools/openapi", "go.mod", "go.sum", "roundtrip.go")
	document := documentPath(t)
	run(t, tools, "go", "tool", "oapi-codegen", "-package", "main", "-o", filepath.Join(t.TempDir(), "standard.go"), document)
	run(t, tools, "go", "tool", "oapi-codegen", "-generate", "types,client,std-http-server,strict-server,spec", "-package", "main", "-o", filepath.Join(place, "client.go"), document)
	run(t, place, "go", "build", "-trimpath", "-tags", "generated", "-o", "roundtrip", ".")

	s := apptest.Start(t, nil)
	_, both := newKey(t, s, "shop", `{"scopes":["ingest","read"]}`)
	printed := run(t, place, filepath.Join(place, "roundtrip"), s.URL, both)
	require.Equal(t, "1 page view {\"path\":\"/\",\"times\":[1,2]}\n2 page view {\"path\":\"/\",\"times\":[1,2]}\n3 page view {\"path\":\"/\",\"times\":[1,2]}\n", printed)
}

// ogen makes a client and a server. Its client checks each answer against the document.
func TestGeneratedClientOfOgen(t *testing.T) {
	t.Parallel()
	tools, place := copyFiles(t, "tools/ogen", "go.mod", "go.sum", "roundtrip.go")
	run(t, tools, "go", "tool", "ogen", "-target", place, "-package", "main", "-loglevel", "error", documentPath(t))
	run(t, place, "go", "build", "-trimpath", "-tags", "generated", "-o", "roundtrip", ".")

	s := apptest.Start(t, nil)
	_, both := newKey(t, s, "shop", `{"scopes":["ingest","read"]}`)
	printed := run(t, place, filepath.Join(place, "roundtrip"), s.URL, both)
	require.Equal(t, "stored 1\n2 stored: stored stored\nbatch_rejected rejected invalid_length\n1 page view \"/\"\n2 page view \"/\"\n3 page view \"/\"\n", printed)
}

// openapi-typescript makes types, with which a program compiles under the strict rules.
func TestGeneratedTypesOfTypeScript(t *testing.T) {
	t.Parallel()
	_, place := copyFiles(t, "tools/openapi", "roundtrip.ts")
	modules := npmTools(t)
	require.NoError(t, os.WriteFile(filepath.Join(place, "package.json"), []byte(`{"type": "module"}`), 0o600))
	run(t, place, "node", filepath.Join(modules, "openapi-typescript/bin/cli.js"), documentPath(t), "-o", filepath.Join(place, "api.ts"))
	run(t, place, "node", filepath.Join(modules, "typescript/bin/tsc"), "--strict", "--target", "es2022", "--module", "nodenext", "roundtrip.ts")

	s := apptest.Start(t, nil)
	_, both := newKey(t, s, "shop", `{"scopes":["ingest","read"]}`)
	printed := run(t, place, "node", "roundtrip.js", s.URL, both)
	require.Equal(t, "stored 1\nrejected invalid_length\n1 page view {\"path\":\"/\"}\n", printed)
}

// The document keeps every rule that Redocly recommends.
func TestOpenAPIKeepsTheRulesOfRedocly(t *testing.T) {
	t.Parallel()
	tools, _ := copyFiles(t, "tools/openapi")
	run(t, tools, "node", filepath.Join(npmTools(t), "@redocly/cli/bin/cli.js"), "lint", "--config", "redocly.yaml", documentPath(t))
}

// run runs a program in a folder and returns its output.
func run(t testing.TB, folder, name string, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Dir = folder
	command.Env = append(command.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
	output, err := command.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("%s: %v: %s%s", name, err, output, exit.Stderr)
	}

	require.NoError(t, err)
	return string(output)
}
