package access

import (
	"net/netip"
	"sync"
	"time"
)

// FailureLimiter bounds how often one peer may fail to authenticate before it is told to
// slow down. It never turns away who has a valid key: a peer may be a proxy with
// many behind it. It is safe for concurrent use and remembers a bounded number of peers.
type FailureLimiter struct {
	perMinute int
	now       func() time.Time
	mu        sync.Mutex
	// fullAt is when all that a peer took will have flowed back.
	fullAt map[netip.Addr]time.Time
}

const (
	// failureWindow holds what a peer may use at once: a minute's worth.
	failureWindow = time.Minute
	// maxPeers bounds the memory to some megabyte.
	maxPeers = 10_000
	// maxEvictionScan bounds the search for peers that can be forgotten.
	maxEvictionScan = 16
	// peerPrefix is what an IPv6 host usually has for itself.
	peerPrefix = 64
)

// NewFailureLimiter makes a bound; zero is none.
func NewFailureLimiter(perMinute int, now func() time.Time) *FailureLimiter {
	return &FailureLimiter{perMinute: perMinute, now: now, fullAt: map[netip.Addr]time.Time{}}
}

// RecordFailure notes a failure of a peer, "host:port", or tells how long it is until the next
// one is free. An address that cannot be read is a peer like any other.
func (f *FailureLimiter) RecordFailure(peer string) (wait time.Duration, ok bool) {
	if f == nil || f.perMinute == 0 {
		return 0, true
	}

	address := peerAddress(peer)
	price := failureWindow / time.Duration(f.perMinute)
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()

	full, known := f.fullAt[address]
	if !known || full.Before(now) {
		full = now
	}

	if wait := full.Add(price).Sub(now) - failureWindow; wait > 0 {
		return wait, false
	}

	if !known && len(f.fullAt) >= maxPeers {
		f.evictPeers(now)
	}

	f.fullAt[address] = full.Add(price)
	return 0, true
}

// evictPeers forgets some peers that have nothing to pay back, or any one.
func (f *FailureLimiter) evictPeers(now time.Time) {
	looked := 0
	for peer, full := range f.fullAt {
		looked++
		if full.Before(now) || looked == maxEvictionScan {
			delete(f.fullAt, peer)
		}

		if looked == maxEvictionScan {
			return
		}
	}
}

// peerAddress is what counts as one peer: an IPv4 address, or an IPv6 network.
func peerAddress(peer string) netip.Addr {
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
