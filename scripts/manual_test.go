package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The manual has a page for each command, and every build gives the same files.
func TestTheManual(t *testing.T) {
	t.Parallel()
	made := func() map[string]string {
		at := t.TempDir()
		text, err := exec.CommandContext(t.Context(), "make", "-s", "-C", "..", "man", "MAN="+at, "VERSION=1.2.3", "SOURCE_DATE_EPOCH=1700000000").CombinedOutput()
		require.NoError(t, err, "%s", text)
		pages, err := filepath.Glob(at + "/*")
		require.NoError(t, err)
		found := map[string]string{}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			require.NoError(t, err)
			found[filepath.Base(page)] = string(text)
		}

		return found
	}

	first := made()
	require.Contains(t, first["theeye.1"], "The Eye 1.2.3")
	require.Contains(t, first["theeye-app-update.1"], "no-rate-limit")
	require.NotContains(t, first, "theeye-man.1")
	require.Equal(t, first, made())
}
