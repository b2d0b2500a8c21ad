package eventtype

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// The bounds of a host name (RFC 1123), in bytes.
const (
	maxHostname = 253
	maxLabel    = 63
)

// isHostname reports whether a text is a host name of RFC 1123. An internationalized
// label in its ASCII form has to be valid, too.
func isHostname(text string) bool {
	if len(text) > maxHostname {
		return false
	}

	for label := range strings.SplitSeq(text, ".") {
		if !isLabel(label) {
			return false
		}

		if len(label) > 3 && strings.EqualFold(label[:4], "xn--") && !isIDNLabel(label) {
			return false
		}
	}

	return true
}

// isLabel reports whether a label consists of letters, digits and hyphens, with no
// hyphen at either end.
func isLabel(label string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
	return label != "" && len(label) <= maxLabel && strings.Trim(label, allowed) == "" && label[0] != '-' && label[len(label)-1] != '-' &&
		strings.IndexFunc(label, func(r rune) bool { return !strings.ContainsRune(allowed, r) }) < 0
}

// isIDNHostname reports whether a text is a host name of RFC 5890.
func isIDNHostname(text string) bool {
	if text == "" || len(text) > utf8.UTFMax*maxHostname {
		return false
	}

	length := 0
	for label := range strings.SplitSeq(labelSeparators().Replace(text), ".") {
		if !isIDNLabel(label) {
			return false
		}

		ascii, err := idna.Punycode.ToASCII(label)
		if err != nil {
			return false
		}

		length += len(ascii) + 1
	}

	return length <= maxHostname+1
}

// labelSeparators returns a replacer of the ideographic full stop and its forms, which
// separate labels like a dot.
func labelSeparators() *strings.Replacer {
	return strings.NewReplacer("\u3002", ".", "\uff0e", ".", "\uff61", ".")
}

// isIDNLabel reports whether a label follows IDNA 2008 (RFC 5891), in either form.
func isIDNLabel(label string) bool {
	profile := idna.New(idna.ValidateLabels(true), idna.CheckHyphens(true), idna.CheckJoiners(true), idna.BidiRule(),
		idna.StrictDomainName(true), idna.VerifyDNSLength(true))
	lower := strings.ToLower(label)
	ascii, err := profile.ToASCII(lower)
	if err != nil || len(ascii) > maxLabel {
		return false
	}

	shown, err := profile.ToUnicode(ascii)
	if err != nil {
		return false
	}

	if strings.HasPrefix(lower, "xn--") && shown == lower {
		return false // an empty label
	}

	runes := []rune(shown)
	for i := range runes {
		if isExcluded(runes[i]) || !fitsContext(runes, i) {
			return false
		}
	}

	return true
}

// isExcluded reports whether RFC 5892, 2.6, forbids a character by name.
func isExcluded(r rune) bool {
	return strings.ContainsRune("\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b", r)
}

// fitsContext reports whether a character is allowed at its position (RFC 5892,
// appendix A).
func fitsContext(label []rune, i int) bool {
	is := func(at int, table *unicode.RangeTable) bool {
		return at >= 0 && at < len(label) && unicode.Is(table, label[at])
	}
	has := func(found func(r rune) bool) bool { return strings.ContainsFunc(string(label), found) }
	between := func(first, last rune) func(rune) bool { return func(r rune) bool { return r >= first && r <= last } }
	switch r := label[i]; {
	case r == '\u00b7': // middle dot
		return i > 0 && i+1 < len(label) && label[i-1] == 'l' && label[i+1] == 'l'
	case r == '\u0375': // Greek keraia
		return is(i+1, unicode.Greek)
	case r == '\u05f3', r == '\u05f4': // Hebrew geresh and gershayim
		return is(i-1, unicode.Hebrew)
	case r == '\u30fb': // Katakana middle dot
		return has(func(r rune) bool {
			return r != '\u30fb' && unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Han)
		})
	case between('\u0660', '\u0669')(r):
		return !has(between('\u06f0', '\u06f9'))
	}

	return true
}
