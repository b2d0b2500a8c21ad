package scripts_test

import (
	"archive/tar"
	"compress/gzip"
	"io"
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

// systemd itself checks the unit, where it is installed. The path in the unit has to exist.
func TestUnitIsOneForSystemd(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("there is no systemd")
	}

	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed; the other tests have read the unit")
	}

	text, err := os.ReadFile(filepath.Join("..", "packaging", "theeye.service"))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "theeye.service")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/theeye", "/bin/true")), 0o600))
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))

	const tenths = "20" // an unrestricted service has 100
	out, err = exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--threshold="+tenths, file).CombinedOutput()
	require.NoError(t, err, "%s", out)
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

// The archives contain all files of an installation. A stub of Go builds nothing.
func TestArchivesHoldWhatAnInstallationNeeds(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("scripts/dist needs GNU tar")
	}

	root := checkout(t, "scripts/dist", "packaging", "docs", "LICENSE", "README.md", "CHANGELOG.md", "UPGRADING.md")
	stub := "#!/bin/bash\nwhile [ \"$1\" != -o ]; do shift; done\ntouch \"$2/theeye\" \"$2/eyeload\"\n"
	require.NoError(t, os.Mkdir(filepath.Join(root, "stubs"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "stubs", "go"), []byte(stub), 0o755))
	man := "#!/bin/bash\nfor a; do case $a in MAN=*) mkdir -p \"${a#MAN=}\"; touch \"${a#MAN=}/theeye.1\" ;; esac; done\n"
	require.NoError(t, os.WriteFile(filepath.Join(root, "stubs", "make"), []byte(man), 0o755))
	command := exec.CommandContext(t.Context(), "bash", "-c", `PATH="$PWD/stubs:$PATH" exec scripts/dist`)
	command.Dir = root
	command.Env = append(command.Environ(), "VERSION=1.2.3", "REVISION=abc", "SOURCE_DATE_EPOCH=1700000000", "PLATFORMS=linux/arm64 darwin/arm64")
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)

	common := []string{"theeye", "eyeload", "LICENSE", "README.md", "UPGRADING.md", "docs/install.md", "docs/backup.md", "docs/configuration.md", "man/theeye.1"}
	linux := archived(t, filepath.Join(root, "bin", "dist", "the-eye_1.2.3_linux_arm64.tar.gz"))
	require.Subset(t, linux, append(common, "theeye.service", "theeye.env"))
	darwin := archived(t, filepath.Join(root, "bin", "dist", "the-eye_1.2.3_darwin_arm64.tar.gz"))
	require.Subset(t, darwin, common)
	require.NotContains(t, darwin, "theeye.service")
}

// archived lists the files of an archive, below its one folder.
func archived(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	var names []string
	for reader := tar.NewReader(unzipped); ; {
		header, err := reader.Next()
		if err == io.EOF {
			return names
		}

		require.NoError(t, err)
		_, name, _ := strings.Cut(header.Name, "/")
		names = append(names, name)
	}
}
