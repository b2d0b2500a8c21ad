package export_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/the-eye-events/the-eye/internal/cli/export"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers the n-th request with the n-th answer, and later requests with an empty page.
func serve(t *testing.T, answers ...func(w http.ResponseWriter, r *http.Request)) (*httptest.Server, *[]url.Values) {
	t.Helper()
	asked := &[]url.Values{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer key" || r.URL.Path != "/v1/events/changes" || r.Header.Get("Accept") != "application/x-ndjson" {
			t.Errorf("asked for %s with %v", r.URL, r.Header)
		}

		*asked = append(*asked, r.URL.Query())
		if n := len(*asked); n <= len(answers) {
			answers[n-1](w, r)
			return
		}

		_, _ = fmt.Fprintf(w, `{"next":%q,"more":false,"complete_until":null}`+"\n", r.URL.Query().Get("after"))
	}))
	t.Cleanup(server.Close)
	return server, asked
}

func lines(texts ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, text := range texts {
			_, _ = fmt.Fprintln(w, text)
		}
	}
}

// written returns the written lines, each of them complete.
func written(out *bytes.Buffer) []string {
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

const (
	first  = `{"event_id":"1","data":{"next":"not a cursor"}}`
	second = `{"event_id":"2","data":{}}`
	markA  = `{"next":"A","more":true,"complete_until":null}`
	markB  = `{"next":"B","more":false,"complete_until":"2021-01-01T00:00:00Z"}`
)

func options(server *httptest.Server) export.Options {
	return export.Options{URL: server.URL, Key: "key"}
}

func deps(server *httptest.Server, out *bytes.Buffer) export.Deps {
	return export.Deps{Client: server.Client(), Out: out, After: time.After, OnError: func(error) {}, OnNotice: func(string) {}}
}

func TestPagesAndCursor(t *testing.T) {
	t.Parallel()
	server, asked := serve(t, lines(first, markA, second, markB))
	file := filepath.Join(t.TempDir(), "cursor")
	o := options(server)
	o.CursorFile, o.Filters = file, url.Values{"category": {"page"}}
	var out bytes.Buffer
	require.NoError(t, export.Run(t.Context(), o, deps(server, &out)))
	require.Equal(t, []string{first, second}, written(&out))
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "B\n", string(kept))
	require.NoError(t, export.Run(t.Context(), o, deps(server, &out)))
	require.Equal(t, []url.Values{{"category": {"page"}}, {"category": {"page"}, "after": {"B"}}}, *asked)
	o.After = "Z"
	require.NoError(t, export.Run(t.Context(), o, deps(server, &out)))
	require.Equal(t, "Z", (*asked)[2].Get("after"), "what was asked for goes before what was kept")
	entries, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left beside the file")
}

func cut(texts ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		lines(texts...)(w, r)
		_, _ = fmt.Fprint(w, `{"event_id":"half`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// A stream that breaks off leaves complete pages, and the export continues after them.
func TestAStreamThatIsCutOff(t *testing.T) {
	t.Parallel()
	server, asked := serve(t, cut(first, markA, second), lines(second, markB))
	o := options(server)
	o.CursorFile = filepath.Join(t.TempDir(), "cursor")
	var out bytes.Buffer
	require.ErrorIs(t, export.Run(t.Context(), o, deps(server, &out)), export.ErrUnreachable)
	require.Equal(t, []string{first}, written(&out))
	require.NoError(t, export.Run(t.Context(), o, deps(server, &out)))
	require.Equal(t, []string{first, second}, written(&out))
	require.Equal(t, "A", (*asked)[1].Get("after"))

	server, _ = serve(t, lines(first))
	require.ErrorIs(t, export.Run(t.Context(), options(server), deps(server, &out)), export.ErrUnreachable, "events without the cursor behind them are not a complete page")
	require.Equal(t, []string{first, second}, written(&out))
}

// With Follow, the export continues after failures, and requests again after a while.
func TestFollow(t *testing.T) {
	t.Parallel()
	busy := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	server, asked := serve(t, busy, busy, lines(first, markA), cut(), lines(second, markB))
	o := options(server)
	o.Follow, o.Interval = true, 3*time.Second
	var out bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	var waits []time.Duration
	d := deps(server, &out)
	complaints := 0
	d.OnError = func(error) { complaints++ }
	d.After = func(pause time.Duration) <-chan time.Time {
		if waits = append(waits, pause); len(waits) == 6 {
			stop()
			return nil
		}

		now := make(chan time.Time, 1)
		now <- time.Time{}
		return now
	}
	require.NoError(t, export.Run(ctx, o, d))
	require.Equal(t, []string{first, second}, written(&out))
	require.Equal(t, 3, complaints)
	require.Equal(t, []time.Duration{6 * time.Second, 12 * time.Second, 3 * time.Second, 6 * time.Second, 3 * time.Second, 3 * time.Second}, waits)
	require.Equal(t, "B", (*asked)[5].Get("after"))
}

// A permanent error ends an export, even with Follow.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, answer := range []func(http.ResponseWriter, *http.Request){
		func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"detail":"the cursor is of another database cluster"}`)
		},
		lines(`the cursor is of another database cluster`), lines(`{"the cursor is of another database cluster":1}`),
	} {
		server, _ := serve(t, answer)
		o := options(server)
		o.Follow = true
		var out bytes.Buffer
		err := export.Run(t.Context(), o, deps(server, &out))
		require.ErrorContains(t, err, "another database cluster")
		require.NotErrorIs(t, err, export.ErrUnreachable)
		require.Empty(t, out.String())
	}

	for _, o := range []export.Options{{URL: "http://x"}, {Key: "key"}, {URL: "ftp://x", Key: "key"}, {URL: "127.0.0.1:80", Key: "key"}} {
		require.ErrorIs(t, export.Run(t.Context(), o, export.Deps{}), export.ErrUsage)
	}
}

// broken is a writer that fails.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestNoCursorIsKeptOfWhatWasNotWritten(t *testing.T) {
	t.Parallel()
	server, _ := serve(t, lines(first, markA))
	o := options(server)
	o.CursorFile = filepath.Join(t.TempDir(), "cursor")
	d := deps(server, nil)
	d.Out = broken{}
	require.ErrorContains(t, export.Run(t.Context(), o, d), "the disk is full")
	require.NoFileExists(t, o.CursorFile)
}

// The service's notice about events that it sends again is passed on, once.
func TestEventsThatAreGivenAgain(t *testing.T) {
	t.Parallel()
	server, _ := serve(t, lines(first, `{"next":"A","more":true,"complete_until":null,"restarted":{"reason":"a failover"}}`, second, markB))
	var out bytes.Buffer
	d := deps(server, &out)
	var notices []string
	d.OnNotice = func(text string) { notices = append(notices, text) }
	var progress []int
	d.OnProgress = func(events int) { progress = append(progress, events) }
	require.NoError(t, export.Run(t.Context(), options(server), d))
	require.Equal(t, []string{first, second}, written(&out))
	require.Equal(t, []string{"a failover"}, notices)
	require.Equal(t, []int{1, 2}, progress)
}

// An interrupted export reports how many events it wrote, and does not blame the service.
func TestAnInterruptedExport(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	half := func(w http.ResponseWriter, r *http.Request) {
		lines(first, markA, second)(w, r)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	server, _ := serve(t, half)
	o := options(server)
	o.CursorFile = filepath.Join(t.TempDir(), "cursor")
	var out bytes.Buffer
	d := deps(server, &out)
	d.OnProgress = func(int) { interrupt() }
	err := export.Run(ctx, o, d)
	var interrupted *export.InterruptedError
	require.ErrorAs(t, err, &interrupted)
	require.Equal(t, 1, interrupted.Events)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, export.ErrUnreachable)
	require.Equal(t, []string{first}, written(&out))
	kept, err := export.ReadCursor(o.CursorFile)
	require.NoError(t, err)
	require.Equal(t, "A", kept)
}
