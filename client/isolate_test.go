package client_test

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/the-eye-events/the-eye/client"
)

// firewall refuses requests that have a word in them, with a page of its own.
func firewall(status int, word string, behind http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte(word)) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<h1>Request blocked</h1>")
			return
		}

		r.Body = io.NopCloser(bytes.NewReader(body))
		behind.ServeHTTP(w, r)
	})
}

// Events that a firewall refuses get that as their verdict, and the others are stored in their
// order, also if those are the first that a process sends.
func TestEventsThatAFirewallRefusesHoldNothingUp(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotAcceptable, http.StatusUnprocessableEntity} {
		for _, before := range []int{0, 70} {
			for _, dir := range []string{"", t.TempDir()} {
				synctest.Test(t, func(t *testing.T) {
					s := newService()
					verdicts := map[string]client.Verdict{}
					b := newBuffer(t, dialDirect(t, firewall(status, "attack", s)), client.BufferConfig{
						Spool:     dir,
						OnVerdict: func(_ client.Event, v client.Verdict) { verdicts[v.EventID] = v },
					})
					good := enqueue(t, b, manyNames(before)...)
					bad := enqueue(t, b, "attack", "attack", "attack")
					good = append(good, enqueue(t, b, manyNames(200)...)...)
					began := time.Now()
					closeAll(t, b)
					check(t, time.Since(began) < time.Hour, "%d: it took %v", status, time.Since(began))
					check(t, slices.Equal(s.storedIDs(), good), "%d: %d of %d are stored in order", status, len(s.storedIDs()), len(good))
					for _, id := range bad {
						v := verdicts[id]
						check(t, v.Status == client.Rejected && v.Violations[0].Code == "request_refused", "%d: %+v", status, v)
					}

					stats := b.Stats()
					check(t, stats.Stored+stats.Duplicates == int64(len(good)) && stats.Rejected == 3, "%d: %+v", status, stats)
				})
			}
		}
	}
}

// Where a firewall or a gateway refuses everything, no event gets a verdict, however long it lasts.
func TestARefusalOfEverythingIsNoVerdict(t *testing.T) {
	t.Parallel()
	for _, warm := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newService()
			b := newBuffer(t, dialDirect(t, s), client.BufferConfig{})
			var ids []string
			if warm {
				ids = enqueue(t, b, "good")
				check(t, b.Flush(t.Context()) == nil, "it is stored")
			}

			s.setAlways(refuse(http.StatusForbidden, ""))
			ids = append(ids, enqueue(t, b, manyNames(50)...)...)
			<-time.After(24 * time.Hour)
			synctest.Wait()
			check(t, b.Stats().Queued == 50 && b.Stats().Rejected == 0, "%+v", b.Stats())

			s.setAlways(nil)
			closeAll(t, b)
			check(t, slices.Equal(s.storedIDs(), ids), "%d of %d are stored in order", len(s.storedIDs()), len(ids))
		})
	}
}

// A fault that is over within minutes costs no event, even if others get through meanwhile.
func TestAShortRefusalOfOneEventIsNoVerdict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		refused := 0
		wall := firewall(http.StatusForbidden, "unlucky", s)
		b := newBuffer(t, dialDirect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if refused++; refused <= 6 {
				wall.ServeHTTP(w, r)
				return
			}

			s.ServeHTTP(w, r)
		})), client.BufferConfig{})
		ids := enqueue(t, b, "unlucky", "good", "good", "good")
		closeAll(t, b)
		check(t, slices.Equal(s.storedIDs(), ids), "%d of %d are stored in order", len(s.storedIDs()), len(ids))
	})
}
