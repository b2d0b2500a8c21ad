package scripts_test

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The archives contain all files of an installation. They are made where there is GNU tar. A stub of Go builds nothing.
func TestArchivesHoldWhatAnInstallationNeeds(t *testing.T) {
	t.Parallel()
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
