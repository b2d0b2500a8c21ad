package chaos_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/chaos"
	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
)

func TestEveryFaultIsDealtOnceInARound(t *testing.T) {
	t.Parallel()
	all := chaos.SingleServerFaultNames()
	names, skipped := chaos.ScheduleFaults(1, 2*(len(all)-2))
	require.Contains(t, skipped, "disk full")
	require.Contains(t, skipped, "clock stepped")
	for _, name := range all {
		want := 2
		if _, left := skipped[name]; left {
			want = 0
		}

		n := 0
		for _, dealt := range names {
			if dealt == name {
				n++
			}
		}

		require.Equal(t, want, n, name)
	}

	again, _ := chaos.ScheduleFaults(1, len(names))
	require.Equal(t, names, again, "the order follows from the seed")
	other, _ := chaos.ScheduleFaults(2, len(names))
	require.NotEqual(t, names, other)
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, o := range []chaos.Options{
		{Cycles: 0, Rate: 1, WideRate: 1},
		{Cycles: 1, Rate: 0, WideRate: 1},
		{Cycles: 1, Rate: 1},
		{Cycles: 1, Rate: 1, WideRate: 1, Only: []string{"no such fault"}},
	} {
		_, err := chaos.Run(t.Context(), o, chaos.Deps{Now: time.Now})
		require.ErrorIs(t, err, chaos.ErrOptions)
	}
}

func newOracle() (chaos.Oracle, *traffic.Source) {
	source := traffic.NewHot(traffic.NewRun(1, time.Now()))
	return chaos.NewOracle(source), source
}

// findDifferences returns the differences that the answers alone show.
func findDifferences(t *testing.T, b chaos.Oracle, source *traffic.Source) []string {
	t.Helper()

	// No table is read: contradictions between the answers show without one.
	r := reconcile.CompareTables(t.Context(), reconcile.Expectation{Journal: b.Journal(), Source: source}, unreadableDatabase{})
	require.Equal(t, reconcile.Unreadable, r.Outcome)

	return r.List
}

func TestAnswersThatContradictOneAnotherAreFound(t *testing.T) {
	t.Parallel()
	const good = uint64(0)
	bad := uint64(0)
	for !chaos.IsUnstorable(bad) {
		bad++
	}

	type answered struct {
		index    uint64
		verdict  reconcile.Verdict
		sequence int64
	}

	for name, c := range map[string]struct {
		answers []answered
		found   string
	}{
		"stored":                             {answers: []answered{{good, reconcile.Stored, 1}}},
		"stored, then a duplicate":           {answers: []answered{{good, reconcile.Stored, 1}, {good, reconcile.Duplicate, 1}}},
		"the duplicate answered first":       {answers: []answered{{good, reconcile.Duplicate, 1}, {good, reconcile.Stored, 1}}},
		"an unstorable event rejected twice": {answers: []answered{{bad, reconcile.Rejected, 0}, {bad, reconcile.Rejected, 0}}},
		"stored twice":                       {answers: []answered{{good, reconcile.Stored, 1}, {good, reconcile.Stored, 1}}, found: `answered "stored" twice`},
		"two sequences":                      {answers: []answered{{good, reconcile.Stored, 1}, {good, reconcile.Duplicate, 2}}, found: "answered with sequence 1, then 2"},
		"a good event rejected":              {answers: []answered{{good, reconcile.Rejected, 0}}, found: `answered "rejected"`},
		"an unstorable event stored":         {answers: []answered{{bad, reconcile.Stored, 1}}, found: `answered "stored"`},
	} {
		b, source := newOracle()
		b.RecordSending(100)
		for _, v := range c.answers {
			b.RecordVerdict(v.index, v.verdict, v.sequence)
		}

		found := findDifferences(t, b, source)
		if c.found == "" {
			require.Empty(t, found, name)
			continue
		}

		require.Len(t, found, 1, name)
		require.Contains(t, found[0], c.found, name)
	}
}

// An event counts as acknowledged once, however many copies of it are acknowledged.
func TestCopiesAreNotCountedAgain(t *testing.T) {
	t.Parallel()
	b, _ := newOracle()
	indexes := b.RecordSending(2)
	b.RecordVerdict(indexes[0], reconcile.Stored, 1)
	b.RecordVerdict(indexes[0], reconcile.Duplicate, 1)
	b.RecordVerdict(indexes[1], reconcile.Duplicate, 2)
	require.EqualValues(t, 2, b.CountAcknowledged())
}

func TestASenderTriesTheOtherService(t *testing.T) {
	t.Parallel()
	b, source := newOracle()
	indexes := b.RecordSending(2)
	serve := func(handler http.HandlerFunc) string {
		s := httptest.NewServer(handler)
		t.Cleanup(s.Close)
		return s.URL
	}

	busy := serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	fine := serve(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		_, _ = fmt.Fprintf(w, `{"results":[{"event_id":%q,"status":"stored","sequence":1},{"event_id":%q,"status":"stored","sequence":2}]}`,
			source.ID(indexes[0]), source.ID(indexes[1]))
	})

	require.False(t, b.SendUntilVerdict(t.Context(), []string{busy}, indexes), "without a verdict")
	require.Len(t, b.Journal().Unanswered(), 2)
	require.True(t, b.SendUntilVerdict(t.Context(), []string{fine, busy}, indexes))
	require.Empty(t, b.Journal().Unanswered())
	require.Empty(t, findDifferences(t, b, source))
}

// An impossible answer does not count as a verdict, and is a difference.
func TestNonsenseIsNoVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
	}{
		{http.StatusInternalServerError, `{}`},
		{http.StatusUnauthorized, `{}`},
		{http.StatusCreated, `{"event_id":"01a20a00-5b1e-7c3f-9d2a-3f1c2b4a5d6e","status":"stored","sequence":1}`},
		{http.StatusCreated, `stored`},
	} {
		b, source := newOracle()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = fmt.Fprint(w, c.body)
		}))

		require.False(t, b.SendUntilVerdict(t.Context(), []string{s.URL}, b.RecordSending(1)))
		s.Close()
		require.Len(t, b.Journal().Unanswered(), 1)
		require.NotEmpty(t, findDifferences(t, b, source), "%d %s", c.status, c.body)
	}
}

// startEchoServer answers every line with the same line, on a Unix socket.
func startEchoServer(t *testing.T) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}

			go func() {
				lines := bufio.NewScanner(conn)
				for lines.Scan() {
					_, _ = fmt.Fprintln(conn, lines.Text())
				}

				_ = conn.Close()
			}()
		}
	}()

	return socket
}

func TestAWireCanBeDisturbed(t *testing.T) {
	t.Parallel()
	w, err := chaos.NewProxy(context.Background(), startEchoServer(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", w.Address())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	answers := bufio.NewReader(conn)
	send := func(text string) string {
		_, err := fmt.Fprintln(conn, text)
		require.NoError(t, err)
		answer, err := answers.ReadString('\n')
		require.NoError(t, err)

		return strings.TrimSpace(answer)
	}

	require.Equal(t, "hello", send("hello"))

	const by = 50 * time.Millisecond
	w.SetDelay(by)
	began := time.Now()
	require.Equal(t, "late", send("late"))
	require.GreaterOrEqual(t, time.Since(began), 2*by, "in each direction")
	w.SetDelay(0)

	w.SetBlackHole(true)
	_, err = fmt.Fprintln(conn, "swallowed")
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(by)))
	_, err = answers.ReadString('\n')
	require.ErrorContains(t, err, "timeout")
	require.NoError(t, conn.SetReadDeadline(time.Time{}))
	w.SetBlackHole(false)
	late, err := answers.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "swallowed\n", late, "it arrives late, as TCP would send it again")
	require.Equal(t, "again", send("again"))

	require.Positive(t, w.DropConnections())
	_, err = answers.ReadString('\n')
	require.Error(t, err)
}

func TestTheReportSaysWhatIsBroken(t *testing.T) {
	t.Parallel()
	fine := chaos.Cycle{
		Number:         1,
		Fault:          "postgres kill -9",
		Reconciliation: reconcile.Result{Outcome: reconcile.Consistent},
	}

	good := reconcile.Result{Outcome: reconcile.Consistent}
	whole := []chaos.Total{{Name: "one server", Tables: good, API: good}}
	require.NoError(t, (&chaos.Report{Cycles: []chaos.Cycle{fine}, Totals: whole}).Err())
	for name, r := range map[string]*chaos.Report{
		"inconsistent":     {Cycles: []chaos.Cycle{{Fault: "f", Reconciliation: reconcile.Result{Outcome: reconcile.Inconsistent}}}, Totals: whole},
		"unreadable":       {Cycles: []chaos.Cycle{{Fault: "f", Reconciliation: reconcile.Result{Outcome: reconcile.Unreadable}}}, Totals: whole},
		"never looked at":  {Cycles: []chaos.Cycle{{Fault: "f", Reconciliation: reconcile.Result{Outcome: reconcile.Skipped}}}, Totals: whole},
		"a breach":         {Cycles: []chaos.Cycle{{Fault: "f", Breaches: []string{"it is gone"}, Reconciliation: good}}, Totals: whole},
		"the whole":        {Cycles: []chaos.Cycle{fine}, Totals: []chaos.Total{{API: good}}},
		"the API":          {Cycles: []chaos.Cycle{fine}, Totals: []chaos.Total{{Tables: good}}},
		"the second whole": {Cycles: []chaos.Cycle{fine}, Totals: append(whole[:1:1], chaos.Total{API: good})},
		"no whole":         {Cycles: []chaos.Cycle{fine}},
		"a breach of none": {Cycles: []chaos.Cycle{fine}, Totals: whole, Breaches: []string{"panic"}},
		"stopped":          {Cycles: []chaos.Cycle{fine}, Totals: whole, Stopped: true},
	} {
		require.ErrorIs(t, r.Err(), chaos.ErrBroken, name)
		var text strings.Builder
		require.NoError(t, r.WriteText(&text))
		require.Contains(t, text.String(), "BROKEN", name)
	}
}
