package httpapi

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

const (
	// forwardedForHeader is the only header that an address is read from. A proxy passes on
	// headers that it does not know, so a second header would be one that clients can write.
	forwardedForHeader = "X-Forwarded-For"
	// maxProxyHops bounds the entries that are read of one request.
	maxProxyHops = 32
	// maxForwardedEntry bounds an entry in bytes. The longest address with a port has 53; the
	// rest is for a zone.
	maxForwardedEntry = 80
)

// peerAddress returns the address that a request counts for: that of the connection, or of the
// client behind the trusted proxies. It is in its shortest form, and invalid if the connection
// has none. It is computed once a request.
//
// Everything that depends on the address of a client must use it.
func (a *api) peerAddress(c *gin.Context) netip.Addr {
	x := requestStateOf(c)
	if !x.peer.IsValid() {
		x.peer = findClientAddress(connectionAddress(c.Request.RemoteAddr), c.Request.Header[forwardedForHeader], a.TrustedProxies)
	}

	return x.peer
}

// connectionAddress returns the address in "host:port".
func connectionAddress(remote string) netip.Addr {
	parsed, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}

	return normalizeAddress(parsed.Addr())
}

// findClientAddress follows the proxies from the connection's end back to the client. Each proxy
// adds the address that it was called from on the right, so an entry can be believed if all of
// those to its right are of trusted proxies; the first one that is not is the client. Where an
// entry cannot be read, the proxy that wrote it stands for its clients.
func findClientAddress(connection netip.Addr, forwarded []string, proxies []netip.Prefix) netip.Addr {
	address := connection
	hops := 0
	for _, rest := range slices.Backward(forwarded) {
		for more := true; more; hops++ {
			if hops == maxProxyHops || !isTrustedProxy(address, proxies) {
				return address
			}

			var entry string
			rest, entry, more = cutLastEntry(rest)
			caller, ok := parseForwardedEntry(entry)
			if !ok {
				return address
			}

			address = caller
		}
	}

	return address
}

// isTrustedProxy expects a normalized address.
func isTrustedProxy(address netip.Addr, proxies []netip.Prefix) bool {
	for _, proxy := range proxies {
		if proxy.Contains(address) {
			return true
		}
	}

	return false
}

// cutLastEntry takes the last entry off a list with commas; more says whether others are left.
// It looks no further back than a readable entry can reach: a longer one is all of the list.
func cutLastEntry(list string) (rest, entry string, more bool) {
	begin := max(0, len(list)-maxForwardedEntry-1)
	comma := strings.LastIndexByte(list[begin:], ',')
	if comma < 0 {
		return "", list, false
	}

	comma += begin
	return list[:comma], list[comma+1:], true
}

// parseForwardedEntry reads 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] or
// [2001:db8::1]:80.
func parseForwardedEntry(entry string) (address netip.Addr, ok bool) {
	if len(entry) > maxForwardedEntry {
		return netip.Addr{}, false
	}

	text := strings.Trim(entry, " \t")
	if inner, bracketed := strings.CutPrefix(text, "["); bracketed && strings.HasSuffix(inner, "]") {
		text = strings.TrimSuffix(inner, "]")
		if !strings.Contains(text, ":") {
			return netip.Addr{}, false
		}
	} else if bracketed || strings.Count(text, ":") == 1 {
		parsed, err := netip.ParseAddrPort(text)
		return normalizeAddress(parsed.Addr()), err == nil
	}

	parsed, err := netip.ParseAddr(text)
	return normalizeAddress(parsed), err == nil
}

// normalizeAddress gives one address one form: IPv4 is not mapped into IPv6, and there is no zone,
// which has a meaning only on the machine that wrote it.
func normalizeAddress(address netip.Addr) netip.Addr {
	return address.Unmap().WithZone("")
}
