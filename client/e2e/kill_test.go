package main_test

import (
	"bufio"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/client"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/program"
)

// faulty stands before a service, and now and then answers 503 in its place, or loses the
// answer after the events were stored.
func faulty(t *testing.T, service string) (address string, faults *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(service)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	faults = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch rand.IntN(8) {
		case 0:
			faults.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		case 1:
			faults.Add(1)
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, faults
}

// oracle knows what the killed processes had said.
type oracle struct {
	tried []string
	took  map[string]bool
}

// record reads what a process says, until it has taken n events or ends.
func (o *oracle) record(lines *bufio.Scanner, n int) {
	for n > 0 && lines.Scan() {
		switch word, id, _ := strings.Cut(lines.Text(), " "); word {
		case "try":
			o.tried = append(o.tried, id)
		case "took":
			o.took[id] = true
			n--
		}
	}
}

// A process that is killed with its spool on loses no event that it took, and stores none
// twice, whatever the network does at the same time.
func TestAKilledSenderLosesNothing(t *testing.T) {
	t.Parallel()
	for _, sync := range []string{"-sync=false", "-sync=true"} {
		t.Run(sync, func(t *testing.T) {
			t.Parallel()
			service := apptest.Start(t, nil)
			address, faults := faulty(t, service.URL)
			session, spool := client.NewID(), t.TempDir()
			arguments := []string{"-url", address, "-key", service.Ingest, "-session", session, "-spool", spool, sync}
			known := &oracle{took: map[string]bool{}}
			kills := flagValue[int](t, "kills")
			for range kills {
				sender := program.Command(arguments...)
				sender.Stderr = os.Stderr
				out, err := sender.StdoutPipe()
				require.NoError(t, err)
				require.NoError(t, sender.Start())
				lines := bufio.NewScanner(out)
				known.record(lines, 1+rand.IntN(300))
				require.NoError(t, sender.Process.Kill())
				known.record(lines, math.MaxInt) // what it said before it died
				require.Error(t, sender.Wait(), "it was killed")
			}

			code, _, errOut := program.Finish(t, program.Command(append(arguments, "-drain")...))
			require.Zero(t, code, errOut)
			entries, err := os.ReadDir(spool)
			require.NoError(t, err)
			require.Len(t, entries, 1, "only the lock is left in the spool")

			stored := storedIDs(t, service.Database, session)
			place := map[string]int{}
			for i, id := range stored {
				require.NotContains(t, place, id, "it is stored twice")
				place[id] = i
			}

			for id := range known.took {
				require.Contains(t, place, id, "it was taken, and is not stored")
			}

			inOrder := slices.DeleteFunc(slices.Clone(known.tried), func(id string) bool { _, ok := place[id]; return !ok })
			require.Equal(t, inOrder, stored, "they are stored in the order in which they were taken, and nothing else is")
			wrong, err := apptest.FindContradictions(t.Context(), service.Database.Pool(t))
			require.NoError(t, err)
			require.Empty(t, wrong)
			require.Positive(t, faults.Load())
			t.Logf("%d kills: %d events taken, %d stored, 0 lost, 0 twice; %d answers refused or lost",
				kills, len(known.took), len(stored), faults.Load())
		})
	}
}
