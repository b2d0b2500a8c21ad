package charts_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What runs in the hosted CI is pinned, bounded, and may do little: actions by commit,
// a timeout and permissions for each job, and no text of strangers inside a script.
func TestWorkflowsAreBounded(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../.github/workflows/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	pinned := regexp.MustCompile(`^\s*- uses: [\w./-]+@[0-9a-f]{40} # v\d[\w.]*$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(text), "\npermissions:", file)
		require.NotContains(t, string(text), "pull_request_target", file)
		require.NotRegexp(t, `run:.*\$\{\{ *(github\.event|github\.head_ref)`, string(text), file)
		require.Equal(t, strings.Count(string(text), "runs-on:"), strings.Count(string(text), "timeout-minutes:"), file)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "uses:") {
				require.Regexp(t, pinned, strings.TrimRight(line, "\n"), file)
			}
		}
	}
}
