package telemetry

import (
	"slices"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// droppedField is the field with the number of entries left out since the last line
// with this field.
const droppedField = "dropped"

// dropCounter counts the entries that sampling dropped.
type dropCounter struct {
	all        atomic.Int64
	unreported atomic.Int64
}

// countDropped is the sampler's hook.
func (t *dropCounter) countDropped(_ zapcore.Entry, decision zapcore.SamplingDecision) {
	if decision&zapcore.LogDropped != 0 {
		t.all.Add(1)
		t.unreported.Add(1)
	}
}

// dropReportingCore stands behind the sampler and adds to an entry the number of
// dropped entries: without that number the log would look complete.
type dropReportingCore struct {
	zapcore.Core

	dropped *dropCounter
}

// With returns a core that reports the same dropped entries.
func (c dropReportingCore) With(fields []zapcore.Field) zapcore.Core {
	return dropReportingCore{Core: c.Core.With(fields), dropped: c.dropped}
}

// Check registers this core, and not the wrapped one, to write the entry.
func (c dropReportingCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}

	return checked
}

// Write writes the entry.
func (c dropReportingCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	if n := c.dropped.unreported.Swap(0); n > 0 {
		fields = append(slices.Clip(fields), zap.Int64(droppedField, n))
	}

	return c.Core.Write(entry, fields) //nolint:wrapcheck // zap calls it and knows the context
}
