package access

import "net/netip"

// peerPrefix is the size in bits of the IPv6 network that one host usually has for itself.
const peerPrefix = 64

// peerNetwork returns what limits count as one peer: an IPv4 address, or the first address
// of an IPv6 network, because a host there can use a new address for each request.
func peerNetwork(peer netip.Addr) netip.Addr {
	address := peer.Unmap().WithZone("")
	if !address.Is6() {
		return address
	}

	network, err := address.Prefix(peerPrefix)
	if err != nil {
		return address
	}

	return network.Addr()
}
