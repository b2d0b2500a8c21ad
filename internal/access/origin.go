package access

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// parseOrigin parses a web origin and returns it as browsers write it: in lower case
// and without the default port of the scheme.
func parseOrigin(text string) (origin string, ok bool) {
	text = strings.ToLower(text)
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !isHost(u.Hostname()) {
		return "", false
	}

	// Parts that an origin does not have (a path, a user, a query) would be left over.
	if text != u.Scheme+"://"+u.Host {
		return "", false
	}

	host := strings.TrimSuffix(u.Host, ":"+u.Port())
	if host == u.Host { // no port, not even an empty one
		return text, !strings.HasSuffix(host, ":")
	}

	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case err != nil || port == 0:
		return "", false
	case u.Scheme == "http" && port == 80, u.Scheme == "https" && port == 443:
		return u.Scheme + "://" + host, true
	default:
		return u.Scheme + "://" + host + ":" + strconv.FormatUint(port, 10), true
	}
}

// isHost reports whether a lower-case text is a DNS name in ASCII or an IP address.
// Browsers send names in other scripts in Punycode, so such names have to be written in
// Punycode here.
func isHost(host string) bool {
	if strings.Contains(host, ":") {
		address, err := netip.ParseAddr(host)
		return err == nil && address.Zone() == ""
	}

	const longest = 253
	if len(host) > longest {
		return false
	}

	for label := range strings.SplitSeq(host, ".") {
		if !isLabel(label) {
			return false
		}
	}

	return true
}

func isLabel(label string) bool {
	const longest = 63
	if label == "" || len(label) > longest || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}

	for i := range len(label) {
		if c := label[i]; !isDigit(c) && !isLetter(c) && c != '-' && c != '_' {
			return false
		}
	}

	return true
}
