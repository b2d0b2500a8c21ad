package ops

import (
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The durations of a temporary level.
const (
	defaultOverride = 10 * time.Minute
	minOverride     = time.Second
	maxOverride     = 24 * time.Hour
)

var errStopping = errors.New("the service is stopping")

// Level changes the log level for a limited time. Its methods are safe for concurrent
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

// levelOverride is a temporary level.
type levelOverride struct {
	expiresAt time.Time
	timer     *time.Timer
}

// NewLevel returns a Level that reverts to the present level. Every change is logged to
// logger, which must be the logger of this level; otherwise its lines may be lost.
func NewLevel(level zap.AtomicLevel, logger *zap.Logger, now func() time.Time) *Level {
	return &Level{level: level, configured: level.Level(), logger: logger, now: now}
}

// Stop reverts a change and rejects further ones. It leaves no timer behind.
func (l *Level) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.stopped = true
	l.revertLocked("log level reverted because the service stops")
}

// overrideLevel changes the level for a duration. It replaces a change in force.
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

		if l.override == current { // otherwise it was replaced while this function waited for the lock
			l.revertLocked("log level reverted")
		}
	})
	l.override = current
	l.setAndLog(level, "log level changed", zap.Time("until", current.expiresAt.UTC()), zap.String("remote", remote))
	return nil
}

// endOverride reverts a change before its time.
func (l *Level) endOverride(remote string) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.revertLocked("log level reverted on request", zap.String("remote", remote))
}

// revertLocked reverts a change. The caller holds the lock.
func (l *Level) revertLocked(message string, fields ...zap.Field) {
	if l.override == nil {
		return
	}

	l.override.timer.Stop()
	l.override = nil
	l.setAndLog(l.configured, message, fields...)
}

// setAndLog changes the level, and logs that while the more verbose of the two levels is in
// force. If both suppress warnings, the line gets the lowest level that one of them lets through.
func (l *Level) setAndLog(to zapcore.Level, message string, fields ...zap.Field) {
	from := l.level.Level()
	fields = append(fields, zap.Stringer("from", from), zap.Stringer("to", to))
	if to <= from {
		l.level.SetLevel(to)
	}

	l.logger.Log(max(zapcore.WarnLevel, min(from, to)), message, fields...)
	l.level.SetLevel(to)
}

// levelReport is the answer of /debug/log-level.
type levelReport struct {
	Level      string `json:"level"`
	Configured string `json:"configured"`
	// RevertsAt and RevertsIn are set while a temporary level is in force.
	RevertsAt *time.Time `json:"reverts_at,omitempty"`
	RevertsIn string     `json:"reverts_in,omitempty"`
}

func (l *Level) buildReport() levelReport {
	l.mu.Lock()
	defer l.mu.Unlock()

	r := levelReport{Level: l.level.Level().String(), Configured: l.configured.String()}
	if l.override != nil {
		ends := l.override.expiresAt.UTC().Truncate(time.Second)
		r.RevertsAt = &ends
		r.RevertsIn = l.override.expiresAt.Sub(l.now()).Round(time.Second).String()
	}

	return r
}
