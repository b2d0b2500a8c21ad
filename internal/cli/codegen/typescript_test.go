//go:build generators

package codegen_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/cli/codegen"
)

// The tests of this file need node and npm; `make check-openapi` runs them.

// compileTypeScript compiles files in a temporary folder, beside the sources of the client for
// browsers, and returns what the compiler objects to.
func compileTypeScript(t *testing.T, files map[string]string) (objections string) {
	t.Helper()
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	modules, err := exec.CommandContext(t.Context(), filepath.Join(root, "scripts/npm-tools"), "tools/openapi").Output()
	require.NoError(t, err, "scripts/npm-tools tools/openapi")

	place := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(place, "browser"), os.DirFS(filepath.Join(root, "clients/js/src"))))
	arguments := []string{
		filepath.Join(strings.TrimSpace(string(modules)), "typescript/bin/tsc"), "--noEmit", "--strict", "--skipLibCheck",
		"--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--module", "esnext", "--moduleResolution", "bundler", "--allowImportingTsExtensions",
	}
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(place, name), []byte(text), 0o600))
		arguments = append(arguments, name)
	}

	compile := exec.CommandContext(t.Context(), "node", arguments...)
	compile.Dir = place
	output, err := compile.Output()
	if err != nil {
		require.NotEmpty(t, output, "%v", err)
	}

	return string(output)
}

// A payload that does not fit its schema does not compile, and one that fits does, with the client
// for browsers.
func TestTypeScriptRejectsWrongPayloads(t *testing.T) {
	t.Parallel()
	const before = `import { init } from './browser/index'
import * as events from './events'

const eye = init({ url: 'https://eye.test', key: 'eyp_x' })
`
	calls := []struct{ call, says string }{
		{`events.trackPageView(eye, { url: '/' })`, ""},
		{`events.trackPageFree(eye)`, ""},
		{`events.trackFormSubmit(eye, { kind: 'order', fields: [{ name: 'email', filled: true }], score: 'high' })`, ""},
		{`events.typed(eye).track('page', 'view', { url: '/', referrer: null })`, ""},
		{`events.trackOrderPlaced(eye, { address: { city: 'Rome', floor: 3 }, lines: [], total: { amount: 1, currency: null }, iban: 'x', point: [1, 2] })`, ""},
		{`events.trackPageView(eye, {})`, `Property 'url' is missing`},
		{`events.trackPageView(eye, { url: 7 })`, `Type 'number' is not assignable to type 'string'`},
		{`events.trackPageView(eye, { url: '/', refferer: '/' })`, `'refferer' does not exist in type 'PageView'`},
		{`events.trackFormSubmit(eye, { kind: 'sale', fields: [] })`, `Type '"sale"' is not assignable to type '"contact" | "order" | "sign-up"'`},
		{`events.trackFormSubmit(eye, { kind: 'order', fields: [{}] })`, `Property 'name' is missing`},
		{`events.trackOrderPlaced(eye, { address: { city: 'Rome' }, lines: [], total: { amount: 1, currency: null } })`, `is not assignable to parameter of type 'OrderPlaced'`},
		{`events.typed(eye).track('page', 'scroll', {})`, `Argument of type '"scroll"' is not assignable`},
		{`events.typed(eye).track('page', 'view', { url: 7 })`, `Type 'number' is not assignable to type 'string'`},
		{`events.trackPageScroll(eye, {})`, `Property 'trackPageScroll' does not exist`},
	}
	program := before
	for _, one := range calls {
		program += one.call + "\n"
	}

	objections := compileTypeScript(t, map[string]string{"events.ts": generate(t, readPlan(t), codegen.TypeScript), "page.ts": program})
	found := map[int]string{}
	line := 0
	for text := range strings.Lines(objections) {
		if place := regexp.MustCompile(`^([\w/.-]+)\((\d+),`).FindStringSubmatch(text); place != nil {
			line = 0
			if strings.HasPrefix(place[1], "browser/") {
				continue // it is checked by itself, with the types of node
			}

			require.Equal(t, "page.ts", place[1], text)
			line, _ = strconv.Atoi(place[2]) // digits
			line -= strings.Count(before, "\n")
			require.Positive(t, line, text)
		}

		found[line-1] += text
	}

	for i, one := range calls {
		if one.says == "" {
			require.Empty(t, found[i], one.call)
			continue
		}

		require.Contains(t, found[i], one.says, one.call)
	}
}

// Whatever is registered, the code compiles.
func TestTypeScriptOfHostileTypesCompiles(t *testing.T) {
	t.Parallel()
	require.Empty(t, compileTypeScript(t, map[string]string{"hostile.ts": generate(t, hostileTypes(), codegen.TypeScript), "none.ts": generate(t, nil, codegen.TypeScript)}))
}
