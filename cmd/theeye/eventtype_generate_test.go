package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The service and the files of its plan yield the same code; a key that cannot read yields none,
// and leaves the file as it was.
func TestGenerateCode(t *testing.T) {
	t.Parallel()
	w := newWorkbench(t)
	plan := w.file(t, "types.yaml", twoTypes)
	w.run(t, 0, "apply", "-f", plan)

	output := filepath.Join(w.directory, "code")
	environ := []string{"THEEYE_URL=" + w.URL, "THEEYE_READ_KEY=" + w.ReadAll}
	for language, says := range map[string]string{
		"go": "func FormSubmit(session string, at time.Time, data FormSubmitData) (client.Event, error) {",
		"ts": "export function trackFormSubmit(eye: Tracker, data: FormSubmit): string | undefined {",
	} {
		arguments := []string{"event-type", "generate", "--lang", language}
		code, printed, errOut := finish(t, environ, arguments...)
		require.Zero(t, code, errOut)
		require.Contains(t, printed, says)

		code, _, errOut = finish(t, nil, append(arguments, "-f", plan, "--output", output)...)
		require.Zero(t, code, errOut)
		written, err := os.ReadFile(output)
		require.NoError(t, err)
		require.Equal(t, printed, string(written))

		code, out, errOut := finish(t, []string{"THEEYE_URL=" + w.URL, "THEEYE_KEY=" + w.Ingest}, append(arguments, "--output", output)...)
		require.Equal(t, 1, code, "%s%s", out, errOut)
		require.Contains(t, errOut, "the service answered 403 Forbidden")
		kept, err := os.ReadFile(output)
		require.NoError(t, err)
		require.Equal(t, printed, string(kept))
	}

	code, out, errOut := finish(t, environ, "event-type", "generate", "--lang", "go", "--package", "plan")
	require.Zero(t, code, errOut)
	require.Contains(t, out, "\npackage plan\n")
}
