package config

import (
	"fmt"
	"io"
	"strings"
)

// mask is shown in place of a secret.
const mask = "***"

// Secret is a text that must not be shown. However it is printed, logged or
// marshalled, it reads "***", or nothing when it is empty.
type Secret string

// Reveal returns the text itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// String returns the mask, or nothing when the secret is empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}

	return mask
}

// Format writes the mask for every verb: for a wrong verb fmt would otherwise print the
// text in its error.
func (s Secret) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, s.String())
}

// MarshalText writes the mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// redactDSN shows a connection string without its secrets. It shows only the parts
// known to be harmless, and masks a text that it cannot parse with certainty as a
// whole.
func redactDSN(dsn Secret) string {
	text := dsn.Reveal()
	if text == "" {
		return ""
	}

	scheme, rest, isURL := cutScheme(text)
	takeApart := redactKeywords
	if isURL {
		takeApart = redactURL
	}

	shown, ok := takeApart(rest)
	if !ok || strings.ContainsFunc(shown, isUnprintable) {
		return mask
	}

	return scheme + shown
}

func isUnprintable(r rune) bool { return r < ' ' || r > '~' }

// cutScheme splits off the scheme of a Postgres URL.
func cutScheme(text string) (scheme, rest string, found bool) {
	for _, scheme := range []string{"postgres://", "postgresql://"} {
		if rest, found := strings.CutPrefix(text, scheme); found {
			return scheme, rest, true
		}
	}

	return "", text, false
}

// redactURL redacts the part of a URL after the scheme. A password with an unescaped
// delimiter shifts the parts, so redactURL accepts only parts that look normal.
func redactURL(rest string) (string, bool) {
	rest, query, hasQuery := strings.Cut(rest, "?")
	authority, path, hasPath := strings.Cut(rest, "/")
	if strings.ContainsAny(path+query, "@#") || strings.ContainsAny(authority, "#") {
		return "", false
	}

	var b strings.Builder
	hosts := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		hosts = authority[at+1:]
		user, _, hasPassword := strings.Cut(authority[:at], ":")
		b.WriteString(user)
		if hasPassword {
			b.WriteString(":" + mask)
		}

		b.WriteByte('@')
	}

	if !areHarmlessHosts(hosts) {
		return "", false
	}

	b.WriteString(hosts)
	if hasPath {
		b.WriteString("/" + path)
	}

	if hasQuery {
		b.WriteString("?" + redactQuery(query))
	}

	return b.String(), true
}

// areHarmlessHosts reports whether every port in a list of hosts is a number: any other
// text after a colon may be a password whose host was forgotten.
func areHarmlessHosts(hosts string) bool {
	for host := range strings.SplitSeq(hosts, ",") {
		if end := strings.LastIndexByte(host, ']'); end >= 0 {
			host = host[end+1:]
		}

		if _, port, found := strings.Cut(host, ":"); found && strings.Trim(port, "0123456789") != "" {
			return false
		}
	}

	return true
}

func redactQuery(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if name, _, found := strings.Cut(pair, "="); !found || !isHarmlessParameter(name) {
			pairs[i] = maskParameter(name, found)
		}
	}

	return strings.Join(pairs, "&")
}

// redactKeywords redacts a connection string of keywords and values.
func redactKeywords(text string) (string, bool) {
	var pairs []string
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		name, after, found := strings.Cut(rest, "=")
		name = strings.TrimSpace(name)
		if !found || strings.ContainsAny(name, " \t'\\") {
			return "", false
		}

		value, remaining, ok := cutValue(strings.TrimLeft(after, " \t"))
		if !ok {
			return "", false
		}

		if isHarmlessParameter(name) {
			pairs = append(pairs, name+"="+value)
		} else {
			pairs = append(pairs, maskParameter(name, true))
		}

		rest = remaining
	}

	return strings.Join(pairs, " "), true
}

// cutValue splits off one value, quoted or not, as it is written.
func cutValue(text string) (value, rest string, ok bool) {
	quoted := strings.HasPrefix(text, "'")
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case quoted && c == '\'' && i > 0:
			return text[:i+1], text[i+1:], true
		case !quoted && (c == ' ' || c == '\t'):
			return text[:i], text[i:], true
		}
	}

	return text, "", !quoted
}

// maskParameter keeps the name only if it is certainly a name.
func maskParameter(name string, hasValue bool) string {
	if !hasValue || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return mask
	}

	return name + "=" + mask
}

// isHarmlessParameter reports whether the value of a connection parameter may be shown.
func isHarmlessParameter(name string) bool {
	switch name {
	case "host", "hostaddr", "port", "user", "dbname", "database", "sslmode",
		"application_name", "connect_timeout", "target_session_attrs":
		return true
	}

	return false
}
