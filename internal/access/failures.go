package access

import (
	"net/netip"
	"sync"
	"time"
)

// Failures bounds how often one peer may fail to authenticate before it is told to
// slow down. It never turns away who has a valid key: a peer may be a proxy with
// many behind it. It is safe for concurrent use and remembers a bounded number of peers.
type Failures struct {
	perMinute int
	now       func() time.Time
	mu        sync.Mutex
	// fullAt is when all that a peer took will have flowed back.
	fullAt map[netip.Addr]time.Time
}

const (
	// failuresWindow holds what a peer may use at once: a minute's worth.
	failuresWindow = time.Minute
	// maxPeers bounds the memory to some megabyte.
	maxPeers = 10_000
	// forgetAtOnce bounds the search for peers that can be forgotten.
	forgetAtOnce = 16
	// peerPrefix is what an IPv6 host usually has for itself.
	peerPrefix = 64
)

// NewFailures makes a bound; zero is none.
func NewFailures(perMinute int, now func() time.Time) *Failures {
	return &Failures{perMinute: perMinute, now: now, fullAt: map[netip.Addr]time.Time{}}
}

// Note notes a failure of a peer, "host:port", or tells how long it is until the next
// one is free. An address that cannot be read is a peer like any other.
func (f *Failures) Note(peer string) (wait time.Duration, ok bool) {
	if f == nil || f.perMinute == 0 {
		return 0, true
	}
	address := peerOf(peer)
	price := failuresWindow / time.Duration(f.perMinute)
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	full, known := f.fullAt[address]
	if !known || full.Before(now) {
		full = now
	}
	if wait := full.Add(price).Sub(now) - failuresWindow; wait > 0 {
		return wait, false
	}
	if !known && len(f.fullAt) >= maxPeers {
		f.forget(now)
	}
	f.fullAt[address] = full.Add(price)
	return 0, true
}

// forget forgets some peers that have nothing to pay back, or any one.
func (f *Failures) forget(now time.Time) {
	looked := 0
	for peer, full := range f.fullAt {
		looked++
		if full.Before(now) || looked == forgetAtOnce {
			delete(f.fullAt, peer)
		}
		if looked == forgetAtOnce {
			return
		}
	}
}

// peerOf is what counts as one peer: an IPv4 address, or an IPv6 network.
func peerOf(peer string) netip.Addr {
	parsed, err := netip.ParseAddrPort(peer)
	if err != nil {
		return netip.Addr{}
	}
	address := parsed.Addr().Unmap().WithZone("")
	if address.Is6() {
		if network, err := address.Prefix(peerPrefix); err == nil {
			return network.Addr()
		}
	}
	return address
}
