package ops

import (
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// How long a level may be lent.
const (
	defaultOverride = 10 * time.Minute
	minOverride     = time.Second
	maxOverride     = 24 * time.Hour
)

var errStopping = errors.New("the service is stopping")

// Level lends the log another level for a while. Its methods are safe for concurrent
// use.
type Level struct {
	level      zap.AtomicLevel
	configured zapcore.Level
	logger     *zap.Logger
	now        func() time.Time

	mu       sync.Mutex
	override *levelOverride // nil while the level is the configured one
	stopped  bool
}

// levelOverride is a change that is taken back.
type levelOverride struct {
	expiresAt time.Time
	timer     *time.Timer
}

// NewLevel takes the level as it stands for the one to come back to. logger is told
// of every change; it has to be the one whose level it is, or what is written of a
// change may be lost.
func NewLevel(level zap.AtomicLevel, logger *zap.Logger, now func() time.Time) *Level {
	return &Level{level: level, configured: level.Level(), logger: logger, now: now}
}

// Stop takes a change back and accepts no other. It leaves no timer behind.
func (l *Level) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.stopped = true
	l.revertLocked("the log level is back, the service stops")
}

// overrideLevel changes the level, and changes it back after a while. It replaces a change
// that is in force.
func (l *Level) overrideLevel(level zapcore.Level, duration time.Duration, remote string) error {
	l.mu.Lock()
	defer l.mu.Unlock()

	if l.stopped {
		return errStopping
	}

	if l.override != nil {
		l.override.timer.Stop()
	}

	current := &levelOverride{expiresAt: l.now().Add(duration)}
	current.timer = time.AfterFunc(duration, func() {
		l.mu.Lock()
		defer l.mu.Unlock()

		if l.override == current { // else it was replaced while it waited for the lock
			l.revertLocked("the log level is back")
		}
	})
	l.override = current
	l.setAndLog(level, "the log level was changed", zap.Time("until", current.expiresAt.UTC()), zap.String("remote", remote))
	return nil
}

// endOverride takes a change back before its time.
func (l *Level) endOverride(remote string) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.revertLocked("the log level was changed back", zap.String("remote", remote))
}

// revertLocked needs the lock.
func (l *Level) revertLocked(message string, fields ...zap.Field) {
	if l.override == nil {
		return
	}

	l.override.timer.Stop()
	l.override = nil
	l.setAndLog(l.configured, message, fields...)
}

// setAndLog changes the level, and says so while the more talkative of the two levels
// holds. Where neither lets a warning through, it is said as loudly as it takes.
func (l *Level) setAndLog(to zapcore.Level, message string, fields ...zap.Field) {
	from := l.level.Level()
	fields = append(fields, zap.Stringer("from", from), zap.Stringer("to", to))
	if to <= from {
		l.level.SetLevel(to)
	}

	l.logger.Log(max(zapcore.WarnLevel, min(from, to)), message, fields...)
	l.level.SetLevel(to)
}

// levelReport is what is told about the level.
type levelReport struct {
	Level      string `json:"level"`
	Configured string `json:"configured"`
	// RevertsAt and RevertsIn are there while the level is lent.
	RevertsAt *time.Time `json:"reverts_at,omitempty"`
	RevertsIn string     `json:"reverts_in,omitempty"`
}

func (l *Level) buildReport() levelReport {
	l.mu.Lock()
	defer l.mu.Unlock()

	r := levelReport{Level: l.level.Level().String(), Configured: l.configured.String()}
	if l.override != nil {
		ends := l.override.expiresAt.UTC().Truncate(time.Second)
		r.RevertsAt, r.RevertsIn = &ends, l.override.expiresAt.Sub(l.now()).Round(time.Second).String()
	}

	return r
}
