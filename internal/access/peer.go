package access

import "net/netip"

// peerPrefix is the size in bits of the IPv6 network that one host usually has for itself.
const peerPrefix = 64

// maxEvictionScan bounds the search for peers to forget.
const maxEvictionScan = 16

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

// evictPeers forgets some of the peers whose bucket is full, or any one if it finds none.
func evictPeers[K comparable, V any](buckets map[K]V, isFull func(V) bool) {
	looked := 0
	found := false
	for peer, b := range buckets {
		looked++
		if isFull(b) || looked == maxEvictionScan && !found {
			delete(buckets, peer)
			found = true
		}

		if looked == maxEvictionScan {
			return
		}
	}
}
