package main_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/program"
)

// ingress forwards requests to services in turn, over connections that it keeps open, like a
// real ingress. It learns only now and then which service is ready.
type ingress struct {
	services []*behind
	turn     atomic.Uint64
}

type behind struct {
	proxy *httputil.ReverseProxy
	ops   *apptest.Client
	ready atomic.Bool
}

// ServeHTTP implements http.Handler.
func (g *ingress) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	turn := g.turn.Add(1)
	for n := range g.services {
		if b := g.services[(turn+uint64(n))%uint64(len(g.services))]; b.ready.Load() {
			b.proxy.ServeHTTP(w, r)
			return
		}
	}

	http.Error(w, "no service is ready", http.StatusBadGateway)
}

// look checks which service is ready, until ctx ends.
func (g *ingress) look(ctx context.Context) {
	const every = 100 * time.Millisecond
	for {
		for _, b := range g.services {
			answer, err := b.ops.Try(ctx, http.MethodGet, "/readyz", nil)
			b.ready.Store(err == nil && answer.Status == http.StatusOK)
		}

		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

// newIngress returns an ingress in front of services, given their two addresses each.
func newIngress(t *testing.T, addresses [][2]string) (g *ingress, address string) {
	t.Helper()
	const idle = 64
	transport := &http.Transport{MaxIdleConnsPerHost: idle}
	g = &ingress{}
	for _, a := range addresses {
		g.services = append(g.services, &behind{ops: apptest.NewClient("http://"+a[1], ""), proxy: &httputil.ReverseProxy{
			Transport: transport,
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: a[0]}) },
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
				http.Error(w, "the proxy has no answer: "+err.Error(), http.StatusBadGateway)
			},
		}})
	}

	ctx, cancel := context.WithCancel(context.Background())
	var looking sync.WaitGroup
	looking.Go(func() { g.look(ctx) })
	server := httptest.NewServer(g)
	t.Cleanup(func() {
		server.Close()
		cancel()
		looking.Wait()
		transport.CloseIdleConnections()
		for _, b := range g.services {
			b.ops.HTTP.CloseIdleConnections()
		}
	})
	return g, server.URL
}

func body(a *apptest.Answer) string {
	if a == nil {
		return ""
	}

	return strconv.Itoa(a.Status) + " " + string(a.Body)
}

func (g *ingress) await(t *testing.T, n int, ready bool) {
	t.Helper()
	require.Eventually(t, func() bool { return g.services[n].ready.Load() == ready }, time.Minute, time.Millisecond)
}

// Behind a proxy that keeps its connections and learns late which service is ready, services
// are stopped and replaced one after the other. No request fails, without any retry.
//
//nolint:paralleltest // it needs the machine for itself
func TestServicesAreReplacedBehindAProxyUnderLoad(t *testing.T) {
	s := newSite(t)
	addresses := [][2]string{{s.address, s.ops}, {program.FreeAddress(t), program.FreeAddress(t)}}
	serve := func(n int) *running {
		r := start(t, []string{"THEEYE_DATABASE_URL=" + s.database.DSN(), "THEEYE_DRAIN_DELAY=1s"},
			"serve", "--http-listen", addresses[n][0], "--ops-listen", addresses[n][1])
		r.await(t, "the service is ready")
		return r
	}
	services := []*running{serve(0), serve(1)}
	g, address := newIngress(t, addresses)
	client := apptest.NewClient(address, s.client.Key)
	t.Cleanup(client.HTTP.CloseIdleConnections)
	for n := range services {
		g.await(t, n, true)
	}

	var answered, failed atomic.Int64
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for n := range 16 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(11, uint64(n)))
			for {
				select {
				case <-stop:
					return
				default:
				}

				e := s.event(random)
				s.oracle.RecordSending(e)
				answer, err := client.Try(context.Background(), http.MethodPost, "/v1/events", apptest.RenderEvent(e))
				if err != nil || answer.Status != http.StatusCreated {
					failed.Add(1)
					t.Errorf("a request failed: %v %s", err, body(answer))
					return
				}

				v := verdictsIn(answer.Body)[0]
				s.oracle.RecordVerdict(e, v.Status, v.Sequence)
				answered.Add(1)
			}
		})
	}

	end := sync.OnceFunc(func() { close(stop); clients.Wait() })
	t.Cleanup(end)
	more := func() {
		from := answered.Load()
		require.Eventually(t, func() bool { return answered.Load() > from+300 || failed.Load() > 0 }, time.Minute, time.Millisecond)
	}
	for range 2 {
		for n := range services {
			more()
			require.Zero(t, services[n].stop(t, syscall.SIGTERM), "%s", services[n].log)
			g.await(t, n, false)
			more()
			services[n] = serve(n)
			g.await(t, n, true)
		}
	}

	more()
	end()
	require.Zero(t, failed.Load())
	wrong, err := s.oracle.FindViolations(context.Background(), s.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, wrong)
	t.Logf("%d requests through the proxy, 4 services stopped and started, none failed", answered.Load())
}
