package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkout copies some files and folders of this repository.
func checkout(t *testing.T, paths ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, path := range paths {
		from := filepath.Join("..", path)
		to := filepath.Join(root, path)
		info, err := os.Stat(from)
		require.NoError(t, err)
		if info.IsDir() {
			require.NoError(t, os.CopyFS(to, os.DirFS(from)))
			continue
		}

		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		require.NoError(t, os.WriteFile(to, text, info.Mode().Perm()))
	}

	return root
}

func TestInstallPutsProgramAndUnitInPlace(t *testing.T) {
	t.Parallel()
	root := checkout(t, "Makefile", "packaging")
	run := func(arguments ...string) (string, error) {
		command := exec.CommandContext(t.Context(), "make", append([]string{"-C", root}, arguments...)...)
		command.Env = append(command.Environ(), "MAKEFLAGS=", "MAKEOVERRIDES=")
		out, err := command.CombinedOutput()

		return string(out), err
	}

	out, err := run("install")
	require.Error(t, err)
	require.Contains(t, out, "run make build first")

	require.NoError(t, os.MkdirAll(filepath.Join(root, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "bin", "theeye"), []byte("program"), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(root, "bin", "man"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "bin", "man", "theeye.1"), nil, 0o600))
	stage := filepath.Join(root, "stage")
	out, err = run("install", "DESTDIR="+stage, "PREFIX=/opt/eye")
	require.NoError(t, err, out)
	program, err := os.Stat(filepath.Join(stage, "opt", "eye", "bin", "theeye"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), program.Mode().Perm())
	require.FileExists(t, filepath.Join(stage, "opt", "eye", "share", "man", "man1", "theeye.1"))
	if runtime.GOOS == "linux" {
		text, err := os.ReadFile(filepath.Join(stage, "opt", "eye", "lib", "systemd", "system", "theeye.service"))
		require.NoError(t, err)
		require.Contains(t, string(text), "\nExecStart=/opt/eye/bin/theeye serve\n")
		require.NotContains(t, string(text), stage)
	}

	out, err = run("uninstall", "DESTDIR="+stage, "PREFIX=/opt/eye")
	require.NoError(t, err, out)
	for _, path := range []string{"bin/theeye", "share/man/man1/theeye.1", "lib/systemd/system/theeye.service"} {
		require.NoFileExists(t, filepath.Join(stage, "opt", "eye", path))
	}
}

// unit reads packaging/theeye.service into the values of each key.
func unit(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "packaging", "theeye.service"))
	require.NoError(t, err)
	values := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '[' {
			continue
		}

		key, value, found := strings.Cut(line, "=")
		require.True(t, found, line)
		values[key] = append(values[key], value)
	}

	return values
}

func TestUnitRunsTheServiceWithoutPrivileges(t *testing.T) {
	t.Parallel()
	values := unit(t)
	require.Equal(t, []string{"/usr/local/bin/theeye serve"}, values["ExecStart"])
	require.Equal(t, []string{"database-url:/etc/theeye/database-url"}, values["LoadCredential"])
	require.Equal(t, []string{"THEEYE_DATABASE_URL_FILE=%d/database-url"}, values["Environment"], "the environment contains no secret")
	require.Equal(t, []string{""}, values["CapabilityBoundingSet"])
	for _, key := range []string{"DynamicUser", "NoNewPrivileges", "PrivateDevices", "PrivateTmp", "ProtectHome", "MemoryDenyWriteExecute", "RestrictNamespaces"} {
		require.Equal(t, []string{"yes"}, values[key], key)
	}

	require.Equal(t, []string{"strict"}, values["ProtectSystem"])
}

// Every name in packaging/theeye.env is a setting, and none is a secret.
func TestSettingsOfTheUnitAreKnown(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "packaging", "theeye.env"))
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join("..", "docs", "configuration.md"))
	require.NoError(t, err)
	names := regexp.MustCompile(`(?m)^([^#\s=]+)=`).FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, names)
	for _, name := range names {
		require.Contains(t, string(page), "`"+name[1]+"`")
		require.NotContains(t, name[1], "DATABASE_URL")
	}
}
