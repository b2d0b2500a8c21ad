package telemetry

import (
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The formats of a log.
const (
	// FormatJSON writes one object per line, for machines.
	FormatJSON = "json"
	// FormatConsole writes lines of text, for people.
	FormatConsole = "console"
)

const (
	// sampleAfter is how many entries of one level and message are written in a
	// second before they are sampled.
	sampleAfter = 100
	// sampleEvery means that one in so many of the entries that follow is written.
	sampleEvery = 100
)

// LogConfig sets the level and the format of the log.
type LogConfig struct {
	// Level is debug, info, warn or error; empty is info.
	Level string
	// Format is FormatJSON or FormatConsole; empty is FormatJSON.
	Format string
}

// Log is a logger whose level can be changed while it runs.
type Log struct {
	*zap.Logger

	// Level is the lowest level that is logged. Setting it is safe at any time.
	Level zap.AtomicLevel

	dropped *dropCounter
}

// Dropped returns how many entries sampling has dropped.
func (l *Log) Dropped() int64 { return l.dropped.all.Load() }

// NewLog returns a log that writes to w. It is safe for concurrent use even if w is
// not.
//
// One entry is one line, except for the stack trace that follows a panic on the
// console. When more than 100 entries of the same level and message come within a
// second, one in a hundred of the others is written: a flood of errors must not fill
// the disk. The field "dropped" of the next line has the number of dropped entries.
// Times are in UTC.
func NewLog(config LogConfig, w io.Writer) (*Log, error) {
	level, err := parseLevel(config.Level)
	if err != nil {
		return nil, err
	}

	encoder, err := newEncoder(config.Format)
	if err != nil {
		return nil, err
	}

	tally := &dropCounter{}
	var core zapcore.Core = dropReportingCore{zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level), tally}
	core = zapcore.NewSamplerWithOptions(core, time.Second, sampleAfter, sampleEvery, zapcore.SamplerHook(tally.countDropped))
	return &Log{Logger: zap.New(core, zap.AddStacktrace(zapcore.DPanicLevel)), Level: level, dropped: tally}, nil
}

func parseLevel(text string) (zap.AtomicLevel, error) {
	switch text {
	case "", "info":
		return zap.NewAtomicLevelAt(zapcore.InfoLevel), nil
	case "debug":
		return zap.NewAtomicLevelAt(zapcore.DebugLevel), nil
	case "warn":
		return zap.NewAtomicLevelAt(zapcore.WarnLevel), nil
	case "error":
		return zap.NewAtomicLevelAt(zapcore.ErrorLevel), nil
	}

	return zap.AtomicLevel{}, fmt.Errorf("unknown log level %q: give debug, info, warn or error", text)
}

func newEncoder(format string) (zapcore.Encoder, error) {
	config := zapcore.EncoderConfig{
		TimeKey:        "time",
		LevelKey:       "level",
		NameKey:        "logger",
		MessageKey:     "message",
		StacktraceKey:  "stack",
		LineEnding:     zapcore.DefaultLineEnding,
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeTime:     encodeTime(time.RFC3339Nano),
		EncodeDuration: zapcore.SecondsDurationEncoder,
	}
	switch format {
	case "", FormatJSON:
		return lineEncoder{Encoder: zapcore.NewJSONEncoder(config)}, nil
	case FormatConsole:
		config.ConsoleSeparator = "  " // a tab would be escaped like the tabs of the message
		config.EncodeLevel = encodeWideLevel
		config.EncodeTime = encodeTime("15:04:05.000")
		config.EncodeDuration = zapcore.StringDurationEncoder
		return lineEncoder{Encoder: zapcore.NewConsoleEncoder(config), stackApart: true}, nil
	}

	return nil, fmt.Errorf("unknown log format %q: give json or console", format)
}

func encodeTime(layout string) zapcore.TimeEncoder {
	return func(t time.Time, encoder zapcore.PrimitiveArrayEncoder) {
		encoder.AppendString(t.UTC().Format(layout))
	}
}

// encodeWideLevel aligns the messages of the console in one column.
func encodeWideLevel(level zapcore.Level, encoder zapcore.PrimitiveArrayEncoder) {
	encoder.AppendString(fmt.Sprintf("%-5s", level.CapitalString()))
}
