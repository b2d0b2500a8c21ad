package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/the-eye-events/the-eye/internal/telemetry"
)

func newLogger(t *testing.T, format string) (*zap.Logger, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	log, err := telemetry.NewLog(telemetry.LogConfig{Level: "debug", Format: format}, &out)
	require.NoError(t, err)
	return log.Logger, &out
}

// hostile returns texts that break lines, control terminals or mislead a reader.
func hostile() []string {
	return []string{
		"a\nb", "a\r\nb", "\r", "a\tb", "\x00", "\x1b[2J\x1b]0;title\a", "\x7f", "\u009b31m", "\x9b31m",
		"a\u0085b", "a\u2028b\u2029c", "\u202egnp.exe", "\u2066x\u2069", "\ufeff", "\U000e0041", "\xff\xfe",
		"\"}\n{\"level\":\"error\"", "\\n", "plain", "é 中 🙂",
	}
}

func TestOneEntryIsOneLine(t *testing.T) {
	t.Parallel()
	for _, format := range []string{telemetry.FormatJSON, telemetry.FormatConsole} {
		for _, text := range hostile() {
			logger, out := newLogger(t, format)
			logger.Named(text).With(zap.String("with", text)).Info(text,
				zap.String("string", text),
				zap.ByteString("bytes", []byte(text)),
				zap.Strings("strings", []string{text}),
				zap.Any("map", map[string]string{text: text}),
				zap.Any("raw", json.RawMessage("{\n\"a\":\n1}")),
				zap.Error(fmt.Errorf("wrapped: %w", errors.New(text))),
				zap.String(text, text),
				zap.Stack("trace"),
			)
			line := out.String()
			require.True(t, strings.HasSuffix(line, "\n"), format)
			line = strings.TrimSuffix(line, "\n")
			odd := strings.IndexFunc(line, func(r rune) bool {
				return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
			})
			require.Equal(t, -1, odd, "%s %q in %q", format, text, line)
			require.Equal(t, format == telemetry.FormatJSON, json.Valid([]byte(line)), line)
		}
	}
}

func TestJSONKeepsTheMeaning(t *testing.T) {
	t.Parallel()
	for _, text := range hostile() {
		logger, out := newLogger(t, telemetry.FormatJSON)
		logger.Info(text, zap.String("field", text), zap.Duration("took", 1500*time.Millisecond))
		var entry struct {
			Time    string  `json:"time"`
			Level   string  `json:"level"`
			Message string  `json:"message"`
			Field   string  `json:"field"`
			Took    float64 `json:"took"`
		}
		decoder := json.NewDecoder(out)
		decoder.DisallowUnknownFields() // no caller, no stack
		require.NoError(t, decoder.Decode(&entry))
		want := string([]rune(text)) // what is not UTF-8 becomes U+FFFD
		require.Equal(t, want, entry.Message)
		require.Equal(t, want, entry.Field)
		require.Equal(t, "info", entry.Level)
		require.InDelta(t, 1.5, entry.Took, 0)
		at, err := time.Parse(time.RFC3339Nano, entry.Time)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), at, time.Minute)
		require.True(t, strings.HasSuffix(entry.Time, "Z"))
	}
}

func TestConsoleIsReadable(t *testing.T) {
	t.Parallel()
	logger, out := newLogger(t, telemetry.FormatConsole)
	logger.Warn("slow commit", zap.Duration("took", 1500*time.Millisecond), zap.String("name", "café"))
	require.Regexp(t, `^\d\d:\d\d:\d\d\.\d{3}  WARN   slow commit  \{"took": "1.5s", "name": "café"\}\n$`, out.String())
}

func TestStackOnlyForPanics(t *testing.T) {
	t.Parallel()
	logger, out := newLogger(t, telemetry.FormatJSON)
	logger.Error("no stack")
	require.NotContains(t, out.String(), `"stack"`)
	out.Reset()
	logger.DPanic("stack")
	require.Contains(t, out.String(), `"stack":"`)
	require.Equal(t, 1, strings.Count(out.String(), "\n"))

	logger, out = newLogger(t, telemetry.FormatConsole)
	require.Panics(t, func() { logger.Panic("forged\nline") })
	lines := strings.Split(out.String(), "\n")
	require.True(t, strings.HasSuffix(lines[0], `PANIC  forged\nline`), lines[0])
	require.Contains(t, out.String(), "TestStackOnlyForPanics")
	require.NotContains(t, out.String(), "\nline")
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]zapcore.Level{
		"": zap.InfoLevel, "debug": zap.DebugLevel, "info": zap.InfoLevel, "warn": zap.WarnLevel, "error": zap.ErrorLevel,
	} {
		var out bytes.Buffer
		logger, err := telemetry.NewLog(telemetry.LogConfig{Level: text}, &out)
		require.NoError(t, err)
		level := logger.Level
		require.Equal(t, want, level.Level())
		for _, at := range []zapcore.Level{zap.DebugLevel, zap.InfoLevel, zap.WarnLevel, zap.ErrorLevel} {
			require.Equal(t, at >= want, logger.Core().Enabled(at), "%s at %s", at, text)
		}

		level.SetLevel(zap.ErrorLevel)
		logger.Warn("too low")
		require.Empty(t, out.String())
		level.SetLevel(zap.DebugLevel)
		logger.Debug("high enough")
		require.NotEmpty(t, out.String())
	}

	for _, wrong := range []telemetry.LogConfig{{Level: "trace"}, {Level: "INFO"}, {Format: "text"}} {
		_, err := telemetry.NewLog(wrong, &bytes.Buffer{})
		require.ErrorContains(t, err, "unknown log ")
	}
}

func TestFloodsAreSampled(t *testing.T) {
	t.Parallel()
	const seconds, each = 2, 1050
	logger, out := newLogger(t, telemetry.FormatJSON)
	clock := &fixedClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	logger = logger.WithOptions(zap.WithClock(clock))
	for range seconds {
		for i := range each {
			logger.Error("database gone", zap.Int("i", i))
		}

		logger.Error("something else")
		logger.Warn("database gone")
		clock.now = clock.now.Add(time.Second)
	}

	require.Equal(t, seconds*(100+9+2), strings.Count(out.String(), "\n"))
}

// Dropped entries are counted, and written lines report how many.
func TestDroppedEntriesAreTold(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := telemetry.NewLog(telemetry.LogConfig{}, &out)
	require.NoError(t, err)
	clock := &fixedClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	logger := log.WithOptions(zap.WithClock(clock)).With(zap.String("kept", "yes"))
	for range 350 {
		logger.Error("database gone", zap.Int("i", 1))
	}

	logger.Debug("not asked for, and not counted")
	require.EqualValues(t, 248, log.Dropped())
	logger.Info("something else")
	var told []int64
	decoder := json.NewDecoder(&out)
	for decoder.More() {
		var line struct {
			Kept    string `json:"kept"`
			Dropped int64  `json:"dropped"`
		}
		require.NoError(t, decoder.Decode(&line))
		require.Equal(t, "yes", line.Kept)
		told = append(told, line.Dropped)
	}

	require.Equal(t, append(make([]int64, 100), 99, 99, 50), told)
	require.EqualValues(t, 248, log.Dropped(), "reported entries still count")
}

func TestLoggersMayShareAWriter(t *testing.T) {
	t.Parallel()
	logger, out := newLogger(t, telemetry.FormatConsole)
	done := make(chan struct{})
	for i := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()

			for range 50 {
				logger.With(zap.Int("i", i)).Info(fmt.Sprint("line\n", i))
			}
		}()
	}

	for range 4 {
		<-done
	}

	require.Equal(t, 200, strings.Count(out.String(), "\n"))
}

// fixedClock is a clock that a test sets.
type fixedClock struct{ now time.Time }

func (c *fixedClock) Now() time.Time { return c.now }

func (c *fixedClock) NewTicker(time.Duration) *time.Ticker { panic("not used") }
