package scripts_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readScript returns the text of a file without comments, with its continued lines joined.
func readScript(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)

	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(string(content), "")
	return regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text, "")
}

func TestDockerfilePinsWhatItBuildsFrom(t *testing.T) {
	t.Parallel()

	stages := regexp.MustCompile(`(?m)^FROM (.*)$`).FindAllStringSubmatch(readScript(t, "../Dockerfile"), -1)

	require.Len(t, stages, 2)
	require.Regexp(t, `^--platform=\$BUILDPLATFORM golang:\d+\.\d+\.\d+-alpine\d+\.\d+@sha256:[0-9a-f]{64} AS build$`, stages[0][1])
	require.Equal(t, "scratch", stages[1][1], "which make image builds without a registry")
}

// The program is the same in an image by Docker, in one by buildah and in an archive only where
// all of them build it with the same flags.
func TestTheProgramOfAReleaseIsBuiltInOneWay(t *testing.T) {
	t.Parallel()
	flags := func(path string) string {
		t.Helper()
		found := regexp.MustCompile(`go build (?:-C "\$module" )?(.*) -o `).FindStringSubmatch(readScript(t, path))
		require.NotNil(t, found, path)

		return strings.NewReplacer("$VERSION", "V", "$version", "V", "$REVISION", "R", "$revision", "R", "${REVISION:?the commit}", "R").Replace(found[1])
	}
	want := flags("../Dockerfile")

	require.Equal(t, `-trimpath -buildvcs=false -tags timetzdata,nomsgpack -ldflags "-s -w -X main.version=V -X main.revision=R"`, want)
	require.Equal(t, want, flags("image"))
	require.Equal(t, want, flags("dist"))
}
