package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// shellBlock is one of a page's shell blocks.
type shellBlock struct {
	text string
	// live blocks are run against a service. The others are run against stand-ins of the
	// programs that they call.
	live bool
}

// shellBlocks are all shell blocks of a page, in order.
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

// The shells that people paste into, without their settings: bash of most systems, zsh of
// macOS. Interactive, zsh knows no comments: their words become arguments.
var pasteShells = map[string][]string{ //nolint:gochecknoglobals // a constant, which Go has none of
	"bash": {"bash", "--norc", "-i"},
	"zsh":  {"zsh", "-f", "-i"},
}

const between = "@@ the next block @@"

// pasteInShell types texts into one interactive shell, one after the other, and returns what each
// of them printed. A command that fails ends the shell and fails the test.
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
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // leaves the terminal of whoever runs the tests alone
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

// requireReadme pastes README's blocks into a shell beside a new development service.
func requireReadme(t *testing.T, with []string, at string) {
	t.Helper()
	var live []string
	for _, b := range shellBlocks(t, filepath.Join("..", "..", "README.md")) {
		if b.live {
			live = append(live, b.text)
		}
	}
	require.Len(t, live, 11)
	require.NoError(t, os.Mkdir(filepath.Join(at, "bin"), 0o755))
	require.NoError(t, os.Symlink(os.Getenv(binaryVariable), filepath.Join(at, "bin", "theeye")))
	answers := pasteInShell(t, with, at, nil, live...)

	require.Contains(t, answers[0], `"status":"stored","sequence":1`)
	require.Contains(t, answers[0], `"path": "/"`)
	require.Contains(t, answers[1], `{"stored":2,"duplicates":0,"rejected":0,"results":[`)
	require.Contains(t, answers[2], `{"stored":2,"duplicates":0,"rejected":0,"results":[`)
	require.Regexp(t, `(?s)"status":"stored","sequence":4.*"status":"duplicate","sequence":4`, answers[3])
	require.Contains(t, answers[4], `event_id,session_id,sequence,category,name`)
	require.Contains(t, answers[5], `"code":"timestamp_in_future"`)
	require.Contains(t, answers[6], `"/about-us"`)
	require.Regexp(t, `(?s)"name":"shop".*eye_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}`, answers[7])

	require.Contains(t, answers[8], `{"category":"form interaction","name":"submit","count":1}`)
	require.Regexp(t, `"last_name": ?"Doe"`, answers[8])
	require.Regexp(t, `\b5 events.ndjson`, answers[8])
	require.Contains(t, answers[9], `"newly_failing":1`)
	require.Contains(t, answers[9], `"code":"schema_violation","detail":"/data/form/email is required and missing"`)
	require.Contains(t, answers[9], `{"code":"schema_violation","pointer":"/data/form/email",`)
	require.Contains(t, answers[9], `"matched":1,"stored":1`)
	require.Contains(t, answers[10], "event_type.changed")
	require.Regexp(t, `\b2\b`, answers[10])

	timeline := shell(t, at, `source .theeye/dev.env
		curl -sS "$THEEYE_URL/v1/sessions/e2085be5-9137-4e4e-80b5-f1ffddc25423/events" -H "Authorization: Bearer $THEEYE_READ_KEY" -H 'Accept: text/csv' | cut -d, -f3,5,6`)
	require.Equal(t, strings.Join([]string{
		"sequence,name,timestamp", "1,pageview,2021-01-01T09:15:27.243860Z", "2,cta click,2021-01-01T09:15:27.243860Z", "3,submit,2021-01-01T09:15:27.243860Z",
		"5,submit,2021-01-01T09:17:00.000000Z", "",
	}, "\n"), strings.ReplaceAll(timeline, "\r", ""))
}

// What README says of other machines calls the programs that are meant, with the arguments
// that are meant and none besides.
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
			for _, program := range []string{"make", "theeye", "docker", "curl"} {
				script := "#!/bin/sh\nprintf '%s' " + program + "; for a; do printf ' <%s>' \"$a\"; done; echo\n"
				require.NoError(t, os.WriteFile(filepath.Join(at, program), []byte(script), 0o755))
			}
			answers := pasteInShell(t, shell, at, []string{"PATH=" + at + ":" + os.Getenv("PATH")}, texts...)
			require.Equal(t, []string{
				"make <run>\n",
				"theeye <migrate> <up>\ntheeye <app> <create> <shop>\ntheeye <key> <create> <shop> <--scope> <admin>\ntheeye <serve>\n",
				"docker <compose> <up> <--detach> <--wait>\ndocker <compose> <run> <--rm> <theeye> <app> <create> <shop>\n" +
					"docker <compose> <run> <--rm> <theeye> <key> <create> <shop> <--scope> <admin>\n",
				"curl <-X> <PUT> <http://127.0.0.1:8081/debug/log-level> <-d> <{\"level\": \"debug\", \"for\": \"10m\"}>\n",
			}, answers)
		})
	}
}

// Pasted into zsh, the words of a comment become arguments: those of curl are hosts that
// get the key in its headers.
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
