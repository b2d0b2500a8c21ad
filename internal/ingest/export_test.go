package ingest

// CloseLanes does the latter half of Stop alone: so a request sees it that was let in
// just before.
func (c *Collector) CloseLanes() {
	for _, l := range c.lanes {
		l.close()
	}
}
