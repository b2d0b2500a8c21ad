package fair

// Callers is how many callers are known.
func (s *Shares) Callers() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return len(s.callers)
}
