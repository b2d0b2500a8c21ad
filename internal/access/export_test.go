package access

// Peers is how many peers are remembered.
func (f *FailureLimiter) Peers() int {
	f.mu.Lock()
	defer f.mu.Unlock()

	return len(f.fullAt)
}

// Len returns how many addresses the limiter remembers.
func (l *PublicLimiter) Len() int { return len(l.buckets) }
