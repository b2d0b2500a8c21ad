package access

import (
	"net/netip"
	"sync"
	"time"
)

// PublicLimiter holds each address that uses a public key to the key's rate limit, in this
// process. Everybody can read a public key, so the limit is not one for all of its users.
//
// Each address has a bucket as in a Limiter, which holds publicBurst's worth of events. The
// addresses of one IPv6 network of 64 bits share a bucket: see peerNetwork. A
// PublicLimiter is safe for concurrent use and remembers a bounded number of addresses.
type PublicLimiter struct {
	now     func() time.Time
	mu      sync.Mutex
	buckets map[publicUser]*bucket
}

// publicUser is a peer that uses a public key.
type publicUser struct {
	keyID   string
	network netip.Addr
}

// publicBurst is the size of an address's bucket, as the time to fill it: a browser that was
// offline sends all that it kept.
const publicBurst = 10 * time.Second

// maxPublicUsers bounds the memory to about ten megabytes.
const maxPublicUsers = 50_000

// NewPublicLimiter makes a limiter whose buckets are full.
func NewPublicLimiter(now func() time.Time) *PublicLimiter {
	return &PublicLimiter{now: now, buckets: map[publicUser]*bucket{}}
}

// Allow takes n events out of the bucket of an address that uses the caller's public key, or
// returns how long to wait until they can pass.
func (l *PublicLimiter) Allow(caller *Caller, peer netip.Addr, n int) (wait time.Duration, ok bool) {
	if n <= 0 {
		return 0, true
	}

	user := publicUser{caller.KeyID, peerNetwork(peer)}
	rate := *caller.RateLimit
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()

	b := l.buckets[user]
	if b == nil {
		if len(l.buckets) >= maxPublicUsers {
			evictPeers(l.buckets, func(b *bucket) bool { return b.fullAt.Before(now) })
		}

		b = &bucket{rate: rate, fullAt: now}
		l.buckets[user] = b
	}

	return b.takeEvents(now, rate, n, publicBurst)
}

// DescribeLimit returns the size of an address's bucket, in events, the time in which it is
// refilled, and how many events the address could send at once now.
func (l *PublicLimiter) DescribeLimit(caller *Caller, peer netip.Addr) (quota int, window time.Duration, remaining int) {
	user := publicUser{caller.KeyID, peerNetwork(peer)}
	rate := *caller.RateLimit
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()

	remaining = l.buckets[user].remainingEvents(now, rate, publicBurst)
	return rate * int(publicBurst/time.Second), publicBurst, remaining
}
