package eventtype

import (
	"errors"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// errFormat means that a text does not have the format; the message names the format.
var errFormat = errors.New("it has another format")

// customFormats returns the formats that are checked here, because the library accepts
// texts that they forbid, or does not know them. Each check runs in time linear in the
// text.
func customFormats() map[string]func(text string) bool {
	return map[string]func(text string) bool{
		"email":         func(text string) bool { return isEmail(text, isHostname) && isASCII(text) },
		"idn-email":     func(text string) bool { return isEmail(text, isIDNHostname) },
		"hostname":      isHostname,
		"idn-hostname":  isIDNHostname,
		"ipv4":          isIPv4,
		"ipv6":          isIPv6,
		"uri":           func(text string) bool { return isASCII(text) && isIRI(text) && hasScheme(text) },
		"uri-reference": func(text string) bool { return isASCII(text) && isIRI(text) },
		"iri":           func(text string) bool { return isIRI(text) && hasScheme(text) },
		"iri-reference": isIRI,
		"uri-template":  isURITemplate,
		"date":          isDate,
		"time":          isTime,
		"date-time":     isDateTime,
		"duration":      isDuration,
	}
}

// libraryFormats returns the formats that the library checks correctly.
func libraryFormats() []string {
	return []string{"uuid", "json-pointer", "relative-json-pointer", "regex", "semver", "period"}
}

// Formats returns the names of the formats that are checked, in order.
func Formats() []string {
	return slices.Sorted(slices.Values(slices.Concat(libraryFormats(), slices.Collect(maps.Keys(customFormats())))))
}

// registerFormats replaces the library's checks by the ones of this package.
func registerFormats(compiler *jsonschema.Compiler) {
	for name, fits := range customFormats() {
		compiler.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(value any) error {
			if text, ok := value.(string); ok && !fits(text) {
				return errFormat
			}

			return nil
		}})
	}
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// isEmail reports whether a text is a Mailbox of RFC 5321, or of RFC 6531 if it has
// characters outside of ASCII. The header of a mail allows more: names, comments,
// space.
func isEmail(text string, isDomain func(string) bool) bool {
	const longest, longestLocal = 254, 64 // octets: RFC 5321, 4.5.3.1
	at := strings.LastIndexByte(text, '@')
	if at < 1 || at > longestLocal || len(text) > longest {
		return false
	}

	local := text[:at]
	domain := text[at+1:]
	if inner, quoted := strings.CutPrefix(local, `"`); quoted {
		if !isQuotedRest(inner) {
			return false
		}
	} else if !isDotString(local) {
		return false
	}

	if literal, found := strings.CutPrefix(domain, "["); found {
		literal, closed := strings.CutSuffix(literal, "]")
		if tag, address, tagged := strings.Cut(literal, ":"); tagged {
			return closed && strings.EqualFold(tag, "IPv6") && isIPv6(address)
		}

		return closed && isIPv4(literal)
	}

	return isDomain(domain)
}

// isDotString reports whether a text consists of atoms with dots between them.
func isDotString(text string) bool {
	for atom := range strings.SplitSeq(text, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool { return r <= ' ' || strings.ContainsRune("\"(),:;<>@[\\]\x7f", r) }) {
			return false
		}
	}

	return true
}

// isQuotedRest reports whether a text is a quoted string without its first quote.
func isQuotedRest(text string) bool {
	inner, closed := strings.CutSuffix(text, `"`)
	escaped := false
	for _, r := range inner {
		switch {
		case r < ' ' || r == '\x7f', r == '"' && !escaped:
			return false
		}

		escaped = r == '\\' && !escaped
	}

	return closed && !escaped
}

func isIPv4(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && address.Is4()
}

func isIPv6(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && address.Is6() && address.Zone() == ""
}

// isIRI reports whether a text is an IRI-reference (RFC 3987). A text of ASCII alone is
// one if it is a URI-reference (RFC 3986).
func isIRI(text string) bool {
	for i, r := range text {
		switch {
		case r == '%':
			if _, err := strconv.ParseUint(text[i+1:min(i+3, len(text))], 16, 8); err != nil || i+3 > len(text) || text[i+1] == '+' || text[i+1] == '-' {
				return false
			}
		case r <= ' ' || strings.ContainsRune("\"<>\\^`{|}\x7f", r):
			return false
		case r >= utf8.RuneSelf && !isUCS(r):
			return false
		}
	}

	parsed, err := url.Parse(text)
	if err != nil {
		return false
	}

	rest, _, _ := strings.Cut(text, "#")
	if strings.Contains(parsed.Fragment, "#") || strings.Count(text, "#")-strings.Count(rest, "#") > 1 {
		return false
	}

	if parsed.User != nil && strings.Contains(userInfo(text), "@") {
		return false
	}

	return hasRightBrackets(text, parsed.Host)
}

// userInfo returns the part before the last @ of the authority.
func userInfo(text string) string {
	_, authority, _ := strings.Cut(text, "//")
	if end := strings.IndexAny(authority, "/?#"); end >= 0 {
		authority = authority[:end]
	}

	return authority[:max(strings.LastIndexByte(authority, '@'), 0)]
}

// hasRightBrackets reports whether only an IPv6 address is in brackets, and every host
// with colons is.
func hasRightBrackets(text, host string) bool {
	if !strings.HasPrefix(host, "[") {
		return !strings.ContainsAny(text, "[]") && strings.Count(host, ":") <= 1
	}

	address, _, closed := strings.Cut(host[1:], "]")
	return closed && isIPv6(address) && strings.Count(text, "[") == 1 && strings.Count(text, "]") == 1
}

// isUCS reports whether a character is allowed in an IRI: not private use, not a
// noncharacter, not a control character.
func isUCS(r rune) bool {
	const firstPrivate, lastPrivate, firstNone, lastNone, firstCompatible, plane, beyond = 0xE000, 0xF8FF, 0xFDD0, 0xFDEF, 0xA0, 0xFFFE, 0xE0000
	switch {
	case r < firstCompatible, r == utf8.RuneError, r >= firstPrivate && r <= lastPrivate, r >= firstNone && r <= lastNone:
		return false
	case r&plane == plane, r >= beyond && r < beyond+0x1000, r >= 0xF0000:
		return false
	}

	return true
}

func hasScheme(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && parsed.IsAbs()
}

// isURITemplate reports whether a text is a template of RFC 6570.
func isURITemplate(text string) bool {
	for text != "" {
		open := strings.IndexAny(text, "{}")
		literal := text
		if open >= 0 {
			literal = text[:open]
		}

		if strings.ContainsAny(literal, " \"'<>\\^`|\x7f") || strings.ContainsFunc(literal, func(r rune) bool { return r < ' ' }) {
			return false
		}

		if open < 0 {
			return true
		}

		expression, rest, closed := strings.Cut(text[open+1:], "}")
		if text[open] == '}' || !closed || !isTemplateExpression(expression) {
			return false
		}

		text = rest
	}

	return true
}

// isTemplateExpression reports whether the text between the braces is an optional
// operator and names.
func isTemplateExpression(text string) bool {
	if text == "" {
		return false
	}

	if strings.ContainsRune("+#./;?&=,!@|", rune(text[0])) {
		text = text[1:]
	}

	for variable := range strings.SplitSeq(text, ",") {
		name, length, prefixed := strings.Cut(strings.TrimSuffix(variable, "*"), ":")
		if prefixed && (len(length) == 0 || len(length) > 4 || strings.Trim(length, "0123456789") != "" || length[0] == '0') {
			return false
		}

		for part := range strings.SplitSeq(name, ".") {
			if strings.Trim(part, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz%") != "" || part == "" {
				return false
			}
		}
	}

	return true
}

func isDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

func isDateTime(text string) bool {
	const date = len(time.DateOnly)
	return len(text) > date && isDate(text[:date]) && (text[date] == 'T' || text[date] == 't') && isTime(text[date+1:])
}

// isTime reports whether a text is a full-time of RFC 3339. A leap second is valid only
// as the last second of a day in UTC.
func isTime(text string) bool {
	clock := text[:min(len(text), len(time.TimeOnly))]
	second := clock[max(len(clock)-2, 0):] //nolint:mnd // two digits
	isLeap := second == "60"
	if isLeap {
		clock = clock[:len(clock)-2] + "59"
	}

	at, err := time.Parse(time.TimeOnly, clock)
	if err != nil || len(clock) != len(time.TimeOnly) {
		return false
	}

	zone := text[len(clock):]
	if fraction, found := strings.CutPrefix(zone, "."); found {
		zone = strings.TrimLeft(fraction, "0123456789")
		if len(zone) == len(fraction) {
			return false
		}
	}

	if zone == "Z" || zone == "z" {
		return !isLeap || at.Hour() == 23 && at.Minute() == 59
	}

	if zone == "" || zone[0] != '+' && zone[0] != '-' {
		return false
	}

	offset, err := time.Parse("15:04", zone[1:])
	if err != nil || len(zone) != len("+00:00") {
		return false
	}

	away := time.Duration(offset.Hour())*time.Hour + time.Duration(offset.Minute())*time.Minute
	if zone[0] == '+' {
		away = -away
	}

	utc := at.Add(away)
	return !isLeap || utc.Hour() == 23 && utc.Minute() == 59
}

// isDuration reports whether a text is a duration of RFC 3339, appendix A: its units
// follow one another without a gap.
func isDuration(text string) bool {
	date, clock, hasClock := strings.Cut(strings.TrimPrefix(text, "P"), "T")
	switch {
	case !strings.HasPrefix(text, "P"), date == "" && !hasClock:
		return false
	case strings.HasSuffix(date, "W"):
		return !hasClock && hasUnits(date, "W")
	}

	return (date == "" || hasUnits(date, "YMD")) && (!hasClock || hasUnits(clock, "HMS"))
}

// hasUnits reports whether a text is a list of numbers, each with the unit that follows
// the previous one.
func hasUnits(text, units string) bool {
	for first := true; text != ""; first = false {
		rest := strings.TrimLeft(text, "0123456789")
		if rest == "" || len(rest) == len(text) {
			return false
		}

		at := strings.IndexByte(units, rest[0])
		if at < 0 || (!first && at > 0) {
			return false
		}

		text = rest[1:]
		units = units[at+1:]
		if text == "" {
			return true
		}
	}

	return false
}
