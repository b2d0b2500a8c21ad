package ingest

// CloseLanes does only the second half of Stop, as a request sees it that was admitted just
// before.
func (c *Collector) CloseLanes() {
	for _, l := range c.lanes {
		l.close()
	}
}
