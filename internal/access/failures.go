package access

import (
	"net/netip"
	"sync"
	"time"
)

// FailureLimiter bounds how often one peer may fail to authenticate before it must slow
// down. It never rejects a valid key: a peer may be a proxy with many clients behind
// it. It is safe for concurrent use and remembers a bounded number of peers.
type FailureLimiter struct {
	perMinute int
	now       func() time.Time
	mu        sync.Mutex
	// fullAt is the time at which a peer's bucket will be full again.
	fullAt map[netip.Addr]time.Time
}

const (
	// failureWindow is the burst of a peer: a minute's worth of failures.
	failureWindow = time.Minute
	// maxPeers bounds the memory to about a megabyte.
	maxPeers = 10_000
)

// NewFailureLimiter makes a limiter; zero means no limit.
func NewFailureLimiter(perMinute int, now func() time.Time) *FailureLimiter {
	return &FailureLimiter{perMinute: perMinute, now: now, fullAt: map[netip.Addr]time.Time{}}
}

// RecordFailure records a failure of a peer, or returns how long the peer has to wait
// until its next failure is within the limit. One IPv6 network of 64 bits is one peer, and
// so are all requests without a valid address.
func (f *FailureLimiter) RecordFailure(peer netip.Addr) (wait time.Duration, ok bool) {
	if f == nil || f.perMinute == 0 {
		return 0, true
	}

	address := peerNetwork(peer)
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
		evictPeers(f.fullAt, func(full time.Time) bool { return full.Before(now) })
	}

	f.fullAt[address] = full.Add(price)
	return 0, true
}
