package event

import (
	"time"
)

// ParseTimestamp reads an RFC 3339 time, or `YYYY-MM-DD HH:MM:SS[.ffffff]`, which is read as
// UTC. Digits beyond the microsecond are truncated: the store keeps no more. Leap seconds are
// rejected, because the service's clock cannot represent them.
func ParseTimestamp(text string) (time.Time, bool) {
	const date = len("2006-01-02")
	const seconds = len("2006-01-02T15:04:05")
	if len(text) < seconds || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':' {
		return time.Time{}, false
	}

	year, ok1 := parseNumber(text[0:4])
	month, ok2 := parseNumber(text[5:7])
	day, ok3 := parseNumber(text[8:10])
	hour, ok4 := parseNumber(text[11:13])
	minute, ok5 := parseNumber(text[14:16])
	second, ok6 := parseNumber(text[17:19])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || year == 0 {
		return time.Time{}, false
	}

	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}

	nanos, rest, ok := parseFraction(text[seconds:])
	if !ok {
		return time.Time{}, false
	}

	offset := 0
	switch separator := text[date]; {
	case separator == ' ' && rest == "":
	case separator == 'T' || separator == 't' || separator == ' ':
		if offset, ok = zoneOffset(rest); !ok {
			return time.Time{}, false
		}
	default:
		return time.Time{}, false
	}

	at := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	return at.Add(-time.Duration(offset) * time.Second).Truncate(time.Microsecond), true
}

// LacksZone reports whether a text is a time that ParseTimestamp rejects only because it has no
// zone, as isoformat() of Python writes it.
func LacksZone(text string) bool {
	_, ok := ParseTimestamp(text)
	_, inZone := ParseTimestamp(text + "Z")
	return !ok && inZone
}

// FormatTimestamp renders a time as RFC 3339 in UTC with microseconds.
func FormatTimestamp(at time.Time) string {
	return string(AppendTimestamp(nil, at))
}

// AppendTimestamp appends a time as RFC 3339 in UTC with microseconds.
func AppendTimestamp(b []byte, at time.Time) []byte {
	return at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
}

// parseFraction reads an optional fraction of a second of at most nine digits.
func parseFraction(text string) (nanos int, rest string, ok bool) {
	if text == "" || text[0] != '.' {
		return 0, text, true
	}

	scale := 100_000_000
	i := 1
	for ; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
		nanos += int(text[i]-'0') * scale
		scale /= 10
	}

	return nanos, text[i:], i > 1 && i <= 10
}

// zoneOffset reads Z or a numeric offset, in seconds east of UTC.
func zoneOffset(text string) (int, bool) {
	if text == "Z" || text == "z" {
		return 0, true
	}

	if len(text) != len("+00:00") || text[3] != ':' || (text[0] != '+' && text[0] != '-') {
		return 0, false
	}

	hours, ok1 := parseNumber(text[1:3])
	minutes, ok2 := parseNumber(text[4:6])
	if !ok1 || !ok2 || hours > 23 || minutes > 59 {
		return 0, false
	}

	offset := hours*3600 + minutes*60
	if text[0] == '-' {
		offset = -offset
	}

	return offset, true
}

func parseNumber(digits string) (n int, ok bool) {
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}

		n = n*10 + int(digits[i]-'0')
	}

	return n, true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}

		return 28
	case 4, 6, 9, 11:
		return 30
	}

	return 31
}
