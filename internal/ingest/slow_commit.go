package ingest

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// slowCommit is from how long on a group's commit is logged.
	slowCommit = time.Second
	// slowCommitsEvery is the least time between two such lines.
	slowCommitsEvery = 10 * time.Second
)

// slowCommitLog logs commits that took long, and not each of them: while the
// database is slow, all do. It is safe for concurrent use.
type slowCommitLog struct {
	// last is when a line was written, in nanoseconds since 1970.
	last atomic.Int64
	// unlogged counts the slow commits since then.
	unlogged atomic.Int64
}

// logIfSlow logs a commit if it took long, and if none was logged just before.
func (s *slowCommitLog) logIfSlow(logger *zap.Logger, events int, ended time.Time, took time.Duration) {
	if took < slowCommit {
		return
	}

	last := s.last.Load()
	if ended.UnixNano()-last < int64(slowCommitsEvery) || !s.last.CompareAndSwap(last, ended.UnixNano()) {
		s.unlogged.Add(1)
		return
	}

	logger.Warn("a commit was slow", zap.Duration("took", took), zap.Int("events", events), zap.Int64("unlogged", s.unlogged.Swap(0)))
}
