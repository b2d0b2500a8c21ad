package chaos_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/chaos"
	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
)

// A small program takes the place of the service, which takes minutes to build.
const clockReader = `package main

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

func main() {
	began := time.Now()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		now := time.Now()
		fmt.Println(now.Unix(), int(now.Sub(began).Hours()), int(time.Until(now.Add(time.Minute)).Hours()))
	}
}
`

// This also checks that the patch fits the present version of Go: see clockReadBefore.
func TestAClockCanBeStepped(t *testing.T) {
	t.Parallel()
	module := t.TempDir()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(module, "clockReader"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(module, "go.mod"), []byte("module clockReader\n\ngo 1.26\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(module, "clockReader", "main.go"), []byte(clockReader), 0o600))
	program, err := chaos.BuildStepped(t.Context(), nil, module, "clockReader", dir)
	require.NoError(t, err)

	clock, err := chaos.NewClock(filepath.Join(dir, "offset"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, clock.Close()) })
	command := exec.CommandContext(t.Context(), program)
	command.Env = []string{clock.EnvironmentVariable()}
	in, err := command.StdinPipe()
	require.NoError(t, err)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	answers := bufio.NewReader(out)
	ask := func() (ahead time.Duration) {
		_, err := fmt.Fprintln(in, "what time is it?")
		require.NoError(t, err)
		line, err := answers.ReadString('\n')
		require.NoError(t, err)
		words := strings.Fields(line)
		require.Equal(t, []string{"0", "0"}, words[1:], "durations are measured by the monotonic clock")
		at, err := strconv.ParseInt(words[0], 10, 64)
		require.NoError(t, err)

		return time.Until(time.Unix(at, 0)).Round(time.Hour)
	}

	const day = 24 * time.Hour
	for _, by := range []time.Duration{0, time.Hour, -day, 730 * day, -730 * day, 0} {
		clock.SetOffset(by)
		require.Equal(t, by, ask())
	}

	require.NoError(t, in.Close())
	require.NoError(t, command.Wait())
}

// If Go reads the clock in another way, the build has to fail.
func TestAPatchThatDoesNotFitSaysSo(t *testing.T) {
	t.Parallel()
	goroot := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(goroot, "src", "time"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(goroot, "src", "time", "time.go"), []byte("package time\n"), 0o600))
	_, err := chaos.WriteOverlay(goroot, t.TempDir())
	require.ErrorContains(t, err, "cannot be patched")
	_, err = chaos.BuildStepped(t.Context(), nil, t.TempDir(), "cmd/theeye", t.TempDir())
	require.ErrorIs(t, err, chaos.ErrNoSource)
}

// startAnswering starts a service that always gives the same answer.
func startAnswering(t *testing.T, status int, body string) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}))

	t.Cleanup(s.Close)

	return s.URL
}

// replies are the answers of services to one event.
type replies struct{ stored, busy, early, other string }

func newReplies(t *testing.T, source *traffic.Source) replies {
	t.Helper()

	return replies{
		stored: startAnswering(t, http.StatusCreated, fmt.Sprintf(`{"event_id":%q,"status":"stored","sequence":1}`, source.ID(0))),
		busy:   startAnswering(t, http.StatusServiceUnavailable, `{"status":503}`),
		early:  startAnswering(t, http.StatusBadRequest, `{"status":400,"errors":[{"pointer":"/timestamp","code":"timestamp_in_future"}]}`),
		other:  startAnswering(t, http.StatusBadRequest, `{"status":400,"errors":[{"code":"timestamp_in_future"},{"code":"invalid_json"}]}`),
	}
}

func TestAWrongClockExplainsARefusal(t *testing.T) {
	t.Parallel()
	b, source := newOracle()
	r := newReplies(t, source)
	index := b.RecordSending(1)
	b.BeginClockFault(r.early, "timestamp_in_future")
	require.True(t, b.SendOnce(t.Context(), r.early, index))
	require.Empty(t, findDifferences(t, b, source))
	known, _ := b.Journal().VerdictOf(0)
	require.Equal(t, reconcile.Rejected, known, "and the event must not be found")
	require.EqualValues(t, 1, b.CountRejected())

	// An acknowledgement of another service is right, and a late rejection does not cancel it.
	require.True(t, b.SendOnce(t.Context(), r.stored, index))
	require.True(t, b.SendOnce(t.Context(), r.early, index))
	require.Empty(t, findDifferences(t, b, source))
	known, sequence := b.Journal().VerdictOf(0)
	require.Equal(t, reconcile.Stored, known)
	require.EqualValues(t, 1, sequence)
	require.EqualValues(t, 1, b.CountAcknowledged())
}

// The answer to a batch that stores nothing is a problem document, whose status is a number.
func TestAWrongClockExplainsARefusedBatch(t *testing.T) {
	t.Parallel()
	b, source := newOracle()
	early := `{"event_id":"%s","status":"rejected","errors":[{"pointer":"/timestamp","code":"timestamp_in_future"}]}`
	target := startAnswering(t, http.StatusBadRequest, fmt.Sprintf(`{"status":400,"code":"batch_rejected","results":[`+early+","+early+"]}", source.ID(0), source.ID(1)))
	b.BeginClockFault(target, "timestamp_in_future")
	require.True(t, b.SendOnce(t.Context(), target, b.RecordSending(2)))
	require.Empty(t, findDifferences(t, b, source))
	require.EqualValues(t, 2, b.CountRejected())
}

// An event without a verdict may be stored, whatever the other answers, and is sent again.
func TestARefusalSaysNothingOfAnAttemptWithoutAVerdict(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]func(r replies) []string{
		"no verdict, then rejected": func(r replies) []string { return []string{r.busy, r.early} },
		"rejected, then no verdict": func(r replies) []string { return []string{r.early, r.busy} },
	} {
		b, source := newOracle()
		r := newReplies(t, source)
		index := b.RecordSending(1)
		b.BeginClockFault(r.early, "timestamp_in_future")
		for _, target := range order(r) {
			b.SendOnce(t.Context(), target, index)
		}

		require.Equal(t, index, b.Journal().Unanswered(), name)
		b.EndClockFault()
		require.True(t, b.SendOnce(t.Context(), r.stored, index), name)
		require.Empty(t, findDifferences(t, b, source), name)
	}
}

func TestARefusalThatNoClockExplainsIsFound(t *testing.T) {
	t.Parallel()
	for name, reject := range map[string]func(b chaos.Oracle, r replies, index []uint64){
		"no clock is wrong": func(b chaos.Oracle, r replies, index []uint64) { b.SendOnce(context.Background(), r.early, index) },
		"another service's clock is wrong": func(b chaos.Oracle, r replies, index []uint64) {
			b.BeginClockFault(r.stored, "timestamp_in_future")
			b.SendOnce(context.Background(), r.early, index)
		},
		"the clock is ahead": func(b chaos.Oracle, r replies, index []uint64) {
			b.BeginClockFault(r.early, "timestamp_too_old")
			b.SendOnce(context.Background(), r.early, index)
		},
		"a clock that explains nothing": func(b chaos.Oracle, r replies, index []uint64) {
			b.BeginClockFault(r.early, "")
			b.SendOnce(context.Background(), r.early, index)
		},
		"the clock is right again": func(b chaos.Oracle, r replies, index []uint64) {
			b.BeginClockFault(r.early, "timestamp_in_future")
			b.EndClockFault()
			b.SendOnce(context.Background(), r.early, index)
		},
		"more than the date": func(b chaos.Oracle, r replies, index []uint64) {
			b.BeginClockFault(r.other, "timestamp_in_future")
			b.SendOnce(context.Background(), r.other, index)
		},
	} {
		b, source := newOracle()
		reject(b, newReplies(t, source), b.RecordSending(1))
		found := findDifferences(t, b, source)
		require.Len(t, found, 1, name)
		require.Contains(t, found[0], `answered "rejected"`, name)
	}
}
