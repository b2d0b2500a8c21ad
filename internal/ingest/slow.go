package ingest

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// slowCommit is from how long on a group's commit is told in the log.
	slowCommit = time.Second
	// slowCommitsEvery is the least time between two such lines.
	slowCommitsEvery = 10 * time.Second
)

// slowCommitLog tells in the log of commits that took long, and not of each: while the
// database is slow, all do. It is safe for concurrent use.
type slowCommitLog struct {
	// last is when it was told, in nanoseconds since 1970; untold counts those since.
	last     atomic.Int64
	unlogged atomic.Int64
}

// logIfSlow tells of a commit if it took long, and if none was told just now.
func (s *slowCommitLog) logIfSlow(logger *zap.Logger, events int, ended time.Time, took time.Duration) {
	if took < slowCommit {
		return
	}
	last := s.last.Load()
	if ended.UnixNano()-last < int64(slowCommitsEvery) || !s.last.CompareAndSwap(last, ended.UnixNano()) {
		s.unlogged.Add(1)
		return
	}
	logger.Warn("a commit was slow", zap.Duration("took", took), zap.Int("events", events), zap.Int64("untold", s.unlogged.Swap(0)))
}
