package doctor

import (
	"fmt"
	"strings"
)

// PublicKeys are the public keys in use, and what their use depends on.
type PublicKeys struct {
	Keys []PublicKey
	// Types counts the registered event types.
	Types int
}

// PublicKey is a public key that was not revoked and has not expired, of an application that is
// not disabled.
type PublicKey struct {
	ID          string
	Application string
	// HasOrigins means that pages of at least one origin may use the key.
	HasOrigins     bool
	RegisteredOnly bool
}

func publicKeyChecks() []check {
	return []check{
		{
			name:     "access.public_origins",
			needs:    needsSchema,
			examines: "Each public key can be used: its application has allowed origins, or the key has any_origin",
			remedy:   "Add the origin of the pages: `theeye app update NAME --allowed-origin https://www.example.com`; or revoke the key.",
			evaluate: (*facts).checkPublicOrigins,
		},
		{
			name:     "access.public_types",
			needs:    needsSchema,
			examines: "Event types are registered, if there are public keys: everybody can read a public key in a page, and only event types say what may be stored with it",
			remedy:   "Register the event types that pages send, and create public keys with --registered-only.",
			evaluate: (*facts).checkPublicTypes,
		},
		{
			name:     "access.public_addresses",
			needs:    needsSchema,
			examines: "If there are public keys and the URL is https, `http.trusted_proxies` names the proxy where TLS ends: otherwise all visitors count as one address and share the rate limit of a public key",
			remedy:   "Set http.trusted_proxies to the addresses of the proxies in front, and let the outermost one replace X-Forwarded-For or add to it.",
			evaluate: (*facts).checkPublicAddresses,
		},
	}
}

func (f *facts) checkPublicOrigins() assessment {
	return assessFact(f.db.PublicKeys, func(p PublicKeys) assessment {
		var unusable []string
		for _, key := range p.Keys {
			if !key.HasOrigins {
				unusable = append(unusable, fmt.Sprintf("%s of %s", key.ID, key.Application))
			}
		}

		if len(unusable) > 0 {
			return warning("no page may use the public key " + joinNames(unusable) + ": the application has no allowed origins")
		}

		return ok(fmt.Sprintf("%d public keys are in use, each with an allowed origin", len(p.Keys)))
	})
}

func (f *facts) checkPublicTypes() assessment {
	return assessFact(f.db.PublicKeys, func(p PublicKeys) assessment {
		switch {
		case len(p.Keys) == 0:
			return ok("no public key is in use")
		case p.Types > 0:
			return ok(fmt.Sprintf("%d event types are registered", p.Types))
		}

		var rejecting, open []string
		for _, key := range p.Keys {
			name := fmt.Sprintf("%s of %s", key.ID, key.Application)
			if key.RegisteredOnly {
				rejecting = append(rejecting, name)
			} else {
				open = append(open, name)
			}
		}

		if len(rejecting) > 0 {
			return warning("every event with the public key " + joinNames(rejecting) + " is rejected: it takes registered event types only, and there are none")
		}

		return warning("no event type is registered, so everybody who reads the public key " + joinNames(open) + " in a page can store events of any name and content")
	})
}

func (f *facts) checkPublicAddresses() assessment {
	return assessFact(f.db.PublicKeys, func(p PublicKeys) assessment {
		public := f.service.Public
		switch {
		case len(p.Keys) == 0:
			return ok("no public key is in use")
		case f.TrustedProxies > 0:
			return ok(fmt.Sprintf("http.trusted_proxies has %d addresses or networks", f.TrustedProxies))
		case public == nil:
			return skipped("no service is given: give --url, or set THEEYE_URL")
		case strings.HasPrefix(public.URL, "https:"):
			return warning("TLS ends in a proxy, and http.trusted_proxies is empty: all visitors share the rate limit of a public key")
		}

		return ok("the URL is not https, so it need not lead through a proxy")
	})
}
