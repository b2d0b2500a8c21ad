package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const changelog = `# Changelog

## [Unreleased]

### Added

- What is to come.

## [1.10.0] - 2026-02-01

- The tenth.

## [1.1.0] - 2026-01-01

### Added

- The first.

### Fixed

- A bug; see [the page](page.md).

[1.1.0]: https://example.com/1.1.0
`

func releaseNotes(t *testing.T, version string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "CHANGELOG.md")
	require.NoError(t, os.WriteFile(file, []byte(changelog), 0o600))
	command := exec.CommandContext(t.Context(), "./release-notes", version, file)
	said, err := command.Output()

	return string(said), err
}

func TestReleaseNotesAreThoseOfTheVersion(t *testing.T) {
	t.Parallel()
	for version, notes := range map[string]string{
		"1.1.0":        "### Added\n\n- The first.\n\n### Fixed\n\n- A bug; see [the page](page.md).\n",
		"1.10.0":       "- The tenth.\n",
		"1.10.0-rc.1":  "- The tenth.\n",
		"2.0.0-beta.2": "### Added\n\n- What is to come.\n",
	} {
		said, err := releaseNotes(t, version)
		require.NoError(t, err, version)
		require.Equal(t, notes, said, version)
	}
}

func TestNoReleaseWithoutNotesOrVersion(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.2.0", "1.1", "1.1.0.0", "01.1.0", "v1.1.0", "1x1y0", "1.1.0-", "1.1.0+meta", "1.1.0; true", "Unreleased", ""} {
		said, err := releaseNotes(t, version)
		require.Error(t, err, version)
		require.Empty(t, said, version)
	}
}
