package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// maxNetworks bounds a list of networks, because each request may be compared with all.
const maxNetworks = 256

// networks is a list of IP addresses and CIDR prefixes.
type networks struct{ into *[]netip.Prefix }

func (n networks) setFromText(text string) error {
	var list []netip.Prefix
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}

		network, err := readNetwork(entry)
		if err != nil {
			return err
		}

		list = append(list, network)
	}

	if len(list) > maxNetworks {
		return fmt.Errorf("give at most %d addresses and prefixes", maxNetworks)
	}

	*n.into = list
	return nil
}

// readNetwork reads an address or a prefix. It rejects what is more likely a mistake than a
// wish, because too wide a network lets strangers in.
func readNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}

	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, errors.New("give IP addresses or prefixes such as 10.0.0.7 or 10.1.0.0/16, with commas between several")
	case network.Addr().Is4In6():
		return netip.Prefix{}, errors.New("write prefixes of IPv4 without ::ffff:, such as 10.1.0.0/16")
	case network.Bits() == 0:
		return netip.Prefix{}, errors.New("a prefix of length 0 covers every client; give the addresses of the proxies")
	case network != network.Masked():
		return netip.Prefix{}, errors.New("a prefix has address bits after its length; give the first address of the network, such as 10.1.0.0/16, or one address without a length")
	}

	return network, nil
}

func (n networks) displayText() string {
	list := make([]string, len(*n.into))
	for i, network := range *n.into {
		list[i] = network.String()
		if network.IsSingleIP() {
			list[i] = network.Addr().String()
		}
	}

	return strings.Join(list, ",")
}

func (n networks) typeName() string { return "address list" }
