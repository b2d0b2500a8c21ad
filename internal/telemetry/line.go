package telemetry

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// lineEncoder makes the entries of another encoder safe to print: line breaks and
// all else that moves a cursor, starts a terminal's command or reverses the text
// is escaped as JSON does it. zap's own encoders leave some of it alone: the JSON
// one what lies above ASCII, the console one also everything in the message.
type lineEncoder struct {
	zapcore.Encoder

	// stackApart writes a stack trace as lines of its own below the entry.
	stackApart bool
}

// Clone returns a copy, to which fields can be added without changing this one.
func (e lineEncoder) Clone() zapcore.Encoder {
	return lineEncoder{Encoder: e.Encoder.Clone(), stackApart: e.stackApart}
}

// EncodeEntry writes the entry as one line.
func (e lineEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	stack := ""
	if e.stackApart {
		stack, entry.Stack = entry.Stack, ""
	}

	line, err := e.Encoder.EncodeEntry(entry, fields)
	if err != nil {
		return nil, fmt.Errorf("encode log entry: %w", err)
	}

	if text := bytes.TrimSuffix(line.Bytes(), []byte(zapcore.DefaultLineEnding)); !isPrintable(text) {
		escaped := escapeUnsafe(text)
		line.Reset()
		line.AppendString(escaped)
		line.AppendString(zapcore.DefaultLineEnding)
	}

	if stack != "" {
		line.AppendString(stack)
		line.AppendString(zapcore.DefaultLineEnding)
	}

	return line, nil
}

func isPrintable(text []byte) bool {
	return utf8.Valid(text) && bytes.IndexFunc(text, isUnsafeRune) < 0
}

// isUnsafeRune tells control characters, line and paragraph separators, and format
// characters such as those that change the direction of the text.
func isUnsafeRune(r rune) bool {
	if r >= ' ' && r <= '~' {
		return false
	}

	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// escapeUnsafe writes what is hostile as \n, \r, \t or \u and four digits, two of these
// for what lies above, so that JSON keeps its meaning. Bytes that are not UTF-8
// become the replacement character.
func escapeUnsafe(text []byte) string {
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case !isUnsafeRune(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}

	return b.String()
}
