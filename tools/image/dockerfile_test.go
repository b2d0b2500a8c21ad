package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// instruction is one of a Dockerfile's last stage.
type instruction struct{ word, rest string }

// readDockerfile returns the text of the Dockerfile and the instructions of its last stage.
func readDockerfile(t *testing.T) (text string, last []instruction) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	require.NoError(t, err)
	text = regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(string(content), "")
	text = regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text, "")
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "FROM" {
			last = nil
		}

		if word != "" {
			last = append(last, instruction{word: word, rest: rest})
		}
	}

	return text, last
}

func TestDockerfileMakesTheSameImage(t *testing.T) {
	t.Parallel()
	_, last := readDockerfile(t)
	want := runSettings(imageSpec{version: "$VERSION", revision: "$REVISION"})
	got := map[string]string{}
	var copies []string
	for _, i := range last {
		if i.word == "COPY" {
			copies = append(copies, strings.Fields(i.rest)[2])
			continue
		}

		got[i.word] = i.rest
	}

	list := func(text string) (words []string) {
		require.NoError(t, json.Unmarshal([]byte(text), &words))
		return words
	}

	require.Equal(t, "scratch", got["FROM"])
	require.Equal(t, want.User, got["USER"])
	require.Equal(t, want.WorkingDir, got["WORKDIR"])
	require.Equal(t, want.Entrypoint, list(got["ENTRYPOINT"]))
	require.Equal(t, want.Cmd, list(got["CMD"]))
	require.Equal(t, []string{"/etc/ssl/certs/ca-certificates.crt", "/theeye"}, copies)
	ports := map[string]struct{}{}
	for port := range strings.FieldsSeq(got["EXPOSE"]) {
		ports[port+"/tcp"] = struct{}{}
	}

	require.Equal(t, want.ExposedPorts, ports)
	written := map[string]string{}
	for _, pair := range regexp.MustCompile(`([\w.]+)="([^"]*)"`).FindAllStringSubmatch(got["LABEL"], -1) {
		written[pair[1]] = pair[2]
	}

	require.Equal(t, want.Labels, written)
}

func TestDockerfilePinsWhatItBuildsFrom(t *testing.T) {
	t.Parallel()
	text, _ := readDockerfile(t)
	stages := regexp.MustCompile(`(?m)^FROM (.*)$`).FindAllStringSubmatch(text, -1)
	require.Len(t, stages, 2)
	require.Regexp(t, `^--platform=\$BUILDPLATFORM golang:\d+\.\d+\.\d+-alpine\d+\.\d+@sha256:[0-9a-f]{64} AS build$`, stages[0][1])
}

// The binaries are equal only if both are built with the same flags.
func TestDockerfileBuildsAsTheMakefileDoes(t *testing.T) {
	t.Parallel()
	text, _ := readDockerfile(t)
	makefile, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	require.NoError(t, err)
	_, recipe, found := strings.Cut(string(makefile), "\nimage: ")
	require.True(t, found)
	flags := func(text, version, revision string) []string {
		text = regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text, "")
		found := regexp.MustCompile(`CGO_ENABLED=0 .*\./cmd/theeye`).FindString(text)
		require.NotEmpty(t, found)
		text = strings.NewReplacer(version, "V", revision, "R", `"`, "'").Replace(found)

		return regexp.MustCompile(`-trimpath|-buildvcs=\S+|-tags \S+|-ldflags '[^']*'|CGO_ENABLED=0`).FindAllString(text, -1)
	}

	want := []string{"CGO_ENABLED=0", "-trimpath", "-buildvcs=false", "-tags timetzdata,nomsgpack", "-ldflags '-s -w -X main.version=V -X main.revision=R'"}
	require.Equal(t, want, flags(text, "$VERSION", "$REVISION"))
	require.Equal(t, want, flags(recipe, "$(VERSION)", "$(REVISION)"))
}
