package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// shellBlock is one of a page's shell blocks.
type shellBlock struct {
	text string
	// live blocks run against a service. The others run against stand-ins of the programs
	// that they call.
	live bool
}

// shellBlocks returns all shell blocks of a page, in order.
func shellBlocks(t *testing.T, page string) []shellBlock {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	var found []shellBlock
	for _, match := range regexp.MustCompile("(?ms)(<!-- test:readme -->\n)?^```sh\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		found = append(found, shellBlock{text: match[2], live: match[1] != ""})
	}

	require.NotEmpty(t, found, page)
	return found
}

// The shells that users paste into, without their settings: bash of most systems, zsh of
// macOS. An interactive zsh has no comments: their words become arguments.
var pasteShells = map[string][]string{ //nolint:gochecknoglobals // a constant, which Go has none of
	"bash": {"bash", "--norc", "-i"},
	"zsh":  {"zsh", "-f", "-i"},
}

const between = "@@ the next block @@"

// pasteInShell types texts into one interactive shell, one after the other, and returns the
// output of each. A command that fails ends the shell and fails the test.
func pasteInShell(t *testing.T, shell []string, folder string, environ []string, texts ...string) []string {
	t.Helper()
	require.NotEmpty(t, shell)
	if _, err := exec.LookPath(shell[0]); err != nil {
		require.FailNow(t, shell[0]+" is not installed, and README's commands have to work in it: apt-get install "+shell[0])
	}

	command := exec.CommandContext(context.Background(), shell[0], shell[1:]...)
	command.Dir = folder
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "TERM=dumb"}, environ...)
	command.Stdin = strings.NewReader("set -e\nset -o pipefail\n" + strings.Join(texts, "\necho '"+between+"'\n") + "\n")
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // does not touch the terminal that runs the tests
	var out, errOut strings.Builder
	command.Stdout, command.Stderr = &out, &errOut
	require.NoError(t, command.Run(), "%s\n%s", &out, &errOut)
	answers := strings.Split(out.String(), between+"\n")
	require.Len(t, answers, len(texts), "%s\n%s", &out, &errOut)
	return answers
}

func TestDevIsAsTheReadmeSays(t *testing.T) {
	t.Parallel()
	for name, shell := range pasteShells {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := folder(t)
			r := startDev(t, at)
			requireReadme(t, shell, at)
			require.Zero(t, r.stop(t, syscall.SIGINT))
		})
	}
}

// liveBlocks returns the blocks of a page that run against a service.
func liveBlocks(t *testing.T, page string) (texts []string) {
	t.Helper()
	for _, b := range shellBlocks(t, page) {
		if b.live {
			texts = append(texts, b.text)
		}
	}

	return texts
}

// requireReadme pastes the blocks of README, and those of docs/api.md after them, into a
// shell beside a new development service.
func requireReadme(t *testing.T, with []string, at string) {
	t.Helper()
	readme := liveBlocks(t, filepath.Join("..", "..", "README.md"))
	require.Len(t, readme, 5)
	api := liveBlocks(t, filepath.Join("..", "..", "docs", "api.md"))
	require.Len(t, api, 7)

	answers := pasteInShell(t, with, at, nil, slices.Concat(readme, api)...)

	requireReadmeAnswers(t, answers[:len(readme)])
	requireAPIAnswers(t, answers[len(readme):])
	timeline := shell(t, at, `source .theeye/dev.env
		curl -sS "$THEEYE_URL/v1/sessions/e2085be5-9137-4e4e-80b5-f1ffddc25423/events" -H "Authorization: Bearer $THEEYE_READ_KEY" -H 'Accept: text/csv' | cut -d, -f3,5,6`)
	require.Equal(t, strings.Join([]string{
		"sequence,name,timestamp", "1,pageview,2021-01-01T09:15:27.243860Z", "3,submit,2021-01-01T09:15:29.000000Z", "4,submit,2021-01-01T09:17:00.000000Z", "",
	}, "\n"), strings.ReplaceAll(timeline, "\r", ""))
	exported, err := os.ReadFile(filepath.Join(at, "events.ndjson"))
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(string(exported), "\n"))
}

func requireReadmeAnswers(t *testing.T, answers []string) {
	t.Helper()
	started, sent, typed, asked, replayed := answers[0], answers[1], answers[2], answers[3], answers[4]

	require.Contains(t, started, `"status":"stored","sequence":1`)
	require.Contains(t, started, `"path": "/"`)

	require.Contains(t, sent, `{"stored":2,"duplicates":0,"rejected":0,"results":[`)
	require.Contains(t, sent, `{"stored":0,"duplicates":2,"rejected":0,"results":[`)

	require.Contains(t, typed, `"newly_failing":1`)
	require.Contains(t, typed, `"version":1`)

	require.Contains(t, asked, `"next_cursor":"`)
	require.Contains(t, asked, `event_id,session_id,sequence,category,name`)
	require.Regexp(t, `"last_name"": ?""Doe"`, asked)
	require.Contains(t, asked, `{"category":"form interaction","name":"submit","count":1}`)

	require.Contains(t, replayed, `"code":"schema_violation","detail":"/data/form/email is required and missing"`)
	require.Contains(t, replayed, `"matched":1,"stored":1`)
}

func requireAPIAnswers(t *testing.T, answers []string) {
	t.Helper()
	batch, lines, rejected, read, edited, key, audited := answers[0], answers[1], answers[2], answers[3], answers[4], answers[5], answers[6]

	require.Contains(t, batch, `{"stored":1,"duplicates":0,"rejected":1,"results":[`)
	require.Contains(t, batch, `"code":"missing_field"`)
	require.Contains(t, lines, `{"stored":2,"duplicates":0,"rejected":0,"results":[`)
	require.Contains(t, rejected, `"code":"timestamp_in_future"`)
	require.Contains(t, read, `event_id,session_id,sequence,category,name`)
	require.Contains(t, edited, `"chat button"`)
	require.Regexp(t, `(?s)"name":"shop".*eye_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}`, key)
	require.Contains(t, audited, "errors.replayed")
	require.Regexp(t, `events +3`, audited)
}

// The README blocks for other machines call the intended programs, with exactly the intended
// arguments.
func TestReadmeCommandsPasteAsTheyAreMeant(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, b := range shellBlocks(t, filepath.Join("..", "..", "README.md")) {
		if !b.live {
			texts = append(texts, b.text)
		}
	}

	for name, shell := range pasteShells {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := t.TempDir()
			for _, program := range []string{"make", "theeye", "docker"} {
				script := "#!/bin/sh\nprintf '%s' " + program + "; for a; do printf ' <%s>' \"$a\"; done; echo\n"
				require.NoError(t, os.WriteFile(filepath.Join(at, program), []byte(script), 0o755))
			}

			answers := pasteInShell(t, shell, at, []string{"PATH=" + at + ":" + os.Getenv("PATH")}, texts...)
			require.Equal(t, []string{
				"make <run>\n",
				"theeye <migrate> <up>\ntheeye <app> <create> <shop>\ntheeye <key> <create> <shop> <--scope> <ingest>\ntheeye <serve>\n",
				"docker <compose> <up> <--detach> <--wait>\ndocker <compose> <run> <--rm> <theeye> <app> <create> <shop>\n" +
					"docker <compose> <run> <--rm> <theeye> <key> <create> <shop> <--scope> <ingest>\n",
			}, answers)
		})
	}
}

// Pasted into zsh, the words of a comment become arguments. To curl they are hosts, which
// get the key in the headers.
func TestNoShellBlockHasComments(t *testing.T) {
	t.Parallel()
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "charts/*/*.md"} {
		found, err := filepath.Glob(filepath.Join("..", "..", pattern))
		require.NoError(t, err)
		pages = append(pages, found...)
	}

	require.Greater(t, len(pages), 20)
	fence := regexp.MustCompile("(?ms)^```(?:sh|bash|shell|zsh|console)\n(.*?)^```$")
	comment := regexp.MustCompile(`(?m)(^|[ \t])#.*$`)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, match := range fence.FindAllStringSubmatch(string(text), -1) {
			require.Empty(t, comment.FindString(match[1]), "%s: say it before or after the block:\n%s", page, match[1])
		}
	}
}
