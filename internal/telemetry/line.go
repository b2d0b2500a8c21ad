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

// lineEncoder makes the entries of another encoder safe to print: it escapes line
// breaks and every other character that moves the cursor, starts a terminal command or
// reverses the text, in the syntax of JSON. zap's own encoders do not escape all of
// them: the JSON encoder leaves characters above ASCII, and the console encoder also
// the whole message.
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
		stack = entry.Stack
		entry.Stack = ""
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

// isUnsafeRune reports whether a character is a control character, a line or paragraph
// separator, or a format character such as those that change the direction of the text.
func isUnsafeRune(r rune) bool {
	if r >= ' ' && r <= '~' {
		return false
	}

	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// escapeUnsafe writes unsafe characters as \n, \r, \t or \u and four digits, as a
// surrogate pair for characters above U+FFFF, so that JSON keeps its meaning. Bytes
// that are not UTF-8 become the replacement character.
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
