package access

import (
	"crypto/subtle"
	"time"

	"github.com/the-eye-events/the-eye/internal/background"
	"github.com/the-eye-events/the-eye/internal/event"
)

// storeTime is the store's clock now. Keys expire by it: it is one for all replicas, where
// their own may be wrong.
func storeTime(s *background.Snapshot[index], now time.Time) time.Time {
	return s.At.Add(now.Sub(s.AsOf))
}

// index is a snapshot made ready to be asked. It is not changed once it is shared.
type index struct {
	applications int
	keys         map[string]*credential
	origins      map[string]struct{}
	anyOrigin    bool
	// placeholder stands in for unknown keys, so that those take the same time.
	placeholder credential
}

// credential is a key and the caller that it makes.
type credential struct {
	hash      [32]byte
	caller    Caller
	inactive  bool // revoked, or the application is disabled or unknown
	expiresAt *time.Time
}

func newIndex(snapshot *Snapshot) *index {
	x := &index{
		applications: len(snapshot.Applications),
		keys:         make(map[string]*credential, len(snapshot.Keys)),
		origins:      map[string]struct{}{},
		placeholder:  credential{inactive: true},
	}
	applications := make(map[event.ApplicationID]*Application, len(snapshot.Applications))
	for i := range snapshot.Applications {
		a := &snapshot.Applications[i]
		applications[a.ID] = a
		if a.Disabled {
			continue
		}

		for _, origin := range a.AllowedOrigins {
			x.origins[origin] = struct{}{}
			x.anyOrigin = x.anyOrigin || origin == AnyOrigin
		}
	}

	for i := range snapshot.Keys {
		k := &snapshot.Keys[i]
		application := applications[k.ApplicationID]
		x.keys[k.ID] = &credential{
			hash: k.Hash,
			caller: Caller{
				Application: application, KeyID: k.ID, Scopes: k.Scopes, OrganisationWide: k.OrganisationWide, PublicUse: k.PublicUse,
			},
			inactive:  k.RevokedAt != nil || application == nil || application.Disabled,
			expiresAt: k.ExpiresAt,
		}
	}

	return x
}

// findCaller returns who has the key, or nil. The hash is compared in any case.
func (x *index) findCaller(id string, hash *[32]byte, now time.Time) *Caller {
	c, known := x.keys[id]
	if !known {
		c = &x.placeholder
	}

	same := subtle.ConstantTimeCompare(c.hash[:], hash[:]) == 1
	expired := c.expiresAt != nil && !now.Before(*c.expiresAt)
	if !same || c.inactive || expired {
		return nil
	}

	return &c.caller
}
