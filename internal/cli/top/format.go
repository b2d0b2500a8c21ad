package top

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
)

// noValue stands for an unknown number.
const noValue = "–"

// sanitizeText removes the characters of an outside text that could control a terminal or
// make it look like another text: control characters, format characters such as changes of
// direction, and line separators. Invalid UTF-8 becomes U+FFFD.
func sanitizeText(text string) string {
	const longest = 512
	kept := 0
	return strings.Map(func(r rune) rune {
		switch {
		case kept >= longest, unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs):
			return -1
		}

		kept++
		if unicode.IsSpace(r) {
			return ' '
		}

		return r
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
}

// fitText truncates or pads a text to a width.
func fitText(text string, width int, right bool) string {
	text = truncateText(text, width)
	padding := strings.Repeat(" ", max(width-lipgloss.Width(text), 0))
	if right {
		return padding + text
	}

	return text + padding
}

// truncateText truncates a text that is too wide, with an ellipsis.
func truncateText(text string, width int) string {
	if lipgloss.Width(text) <= width {
		return text
	}

	if width < 1 {
		return ""
	}

	used := 0
	for i, r := range text {
		wide := lipgloss.Width(string(r))
		if used+wide > width-1 {
			return text[:i] + "…"
		}

		used += wide
	}

	return text
}

// rateText renders a rate per second.
func rateText(v float64) string {
	const least, small = 0.05, 9.95
	switch {
	case !isKnown(v):
		return noValue
	case v == 0:
		return "0"
	case v < least:
		return "<0.1"
	case v < small:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}

	return countText(v)
}

// countText renders a whole number with separators between its thousands.
func countText(v float64) string {
	const most = 1e15
	if !isKnown(v) || math.IsInf(v, 0) {
		return noValue
	}

	if math.Abs(v) >= most {
		return strconv.FormatFloat(v, 'e', 1, 64)
	}

	digits := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}

	return digits
}

// latencyText renders a short time in seconds, to three digits.
func latencyText(v float64) string {
	switch {
	case !isKnown(v):
		return noValue
	case v < 1e-3:
		return formatDigits(v*1e6) + " µs"
	case v < 1:
		return formatDigits(v*1e3) + " ms"
	}

	return formatDigits(v) + " s"
}

// formatDigits renders three digits, without trailing zeros after the point.
func formatDigits(v float64) string {
	text := strconv.FormatFloat(v, 'g', 3, 64)
	if strings.Contains(text, "e") {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}

	return text
}

// spanText renders a long time in seconds, in its two largest units.
func spanText(v float64) string {
	const minute, hour, day = 60, 3600, 86400
	const forever = 1e11
	switch {
	case !isKnown(v) || v >= forever:
		return noValue
	case v < 0:
		return "-" + spanText(-v)
	case v < minute:
		const short = 9.95
		if v < short {
			return strconv.FormatFloat(v, 'f', 1, 64) + " s"
		}

		return countText(v) + " s"
	}

	s := int64(v)
	switch {
	case s < hour:
		return fmt.Sprintf("%dm %ds", s/minute, s%minute)
	case s < day:
		return fmt.Sprintf("%dh %dm", s/hour, s%hour/minute)
	}

	return fmt.Sprintf("%dd %dh", s/day, s%day/hour)
}

// bytesText renders a size in bytes.
func bytesText(v float64) string {
	const step, last = 1024, 5
	if !isKnown(v) {
		return noValue
	}

	if v < 0 {
		return "-" + bytesText(-v)
	}

	unit := 0
	for v >= step && unit < last {
		v /= step
		unit++
	}

	if unit == 0 {
		return countText(v) + " B"
	}

	return formatDigits(v) + " " + []string{"", "KiB", "MiB", "GiB", "TiB", "PiB"}[unit]
}

// shareText renders a part of a limit, each with its unit.
func shareText(s share, unit func(float64) string) string {
	if !isKnown(s.Limit) {
		return unit(s.Used)
	}

	return unit(s.Used) + " of " + unit(s.Limit)
}

// drawSparkline draws numbers as bars, the largest as the highest.
func drawSparkline(values []float64) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	most := 0.0
	for _, v := range values {
		if isKnown(v) {
			most = max(most, v)
		}
	}

	var b strings.Builder
	for _, v := range values {
		switch {
		case !isKnown(v):
			b.WriteByte(' ')
		case most == 0:
			b.WriteRune(levels[0])
		default:
			b.WriteRune(levels[int(math.Round(v/most*float64(len(levels)-1)))])
		}
	}

	return b.String()
}
