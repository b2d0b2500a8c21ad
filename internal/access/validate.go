package access

import (
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// Bounds that are part of the contract and not configurable.
const (
	// MaxNameLength bounds an application's name.
	MaxNameLength = 128
	// MaxRateLimit bounds a rate limit, in events a second.
	MaxRateLimit = 1_000_000_000
	// MaxPublicRate bounds the rate limit of a public key, in events a second.
	MaxPublicRate = 1_000_000
	// MaxOrigins bounds the allowed origins of an application.
	MaxOrigins = 100
	// MaxDescriptionLength bounds a key's description, in characters.
	MaxDescriptionLength = 256
	// maxScopes is how many scopes there are.
	maxScopes = 3
	// maxYear is the last year that RFC 3339 can write.
	maxYear = 9999
)

// Validate returns the spec as it is to be stored, or an Invalid fault that lists all
// of its violations.
func (s ApplicationSpec) Validate() (ApplicationSpec, error) {
	var found violations
	found.checkName(s.Name)
	found.checkRateLimit(s.RateLimit)
	s.AllowedOrigins = found.normalizeOrigins(s.AllowedOrigins)
	return s, found.asFault("the application is not valid")
}

// Validate returns the patch as it is to be applied, or an Invalid fault that lists all
// of its violations.
func (p ApplicationPatch) Validate() (ApplicationPatch, error) {
	var found violations
	if p.Disabled.Set && p.Disabled.Value == nil {
		found.add("/disabled", fault.CodeInvalidType, "disabled is true or false")
	}

	found.checkRateLimit(p.RateLimit.Value)
	switch {
	case p.AllowedOrigins.Set && p.AllowedOrigins.Value == nil:
		found.add("/allowed_origins", fault.CodeInvalidType, "allowed_origins is an array; an empty one allows none")
	case p.AllowedOrigins.Set:
		p.AllowedOrigins = Some(found.normalizeOrigins(*p.AllowedOrigins.Value))
	}

	return p, found.asFault("the change is not valid")
}

// Validate returns the spec as it is to be stored, or an Invalid fault that lists all
// of its violations. A key must not have expired by now.
func (s KeySpec) Validate(now time.Time) (KeySpec, error) {
	var found violations
	if s.Public {
		found.checkPublicKey(&s)
	} else {
		found.checkScopes(s.Scopes)
		found.checkPrivateKey(&s.PublicUse)
	}

	found.checkDescription(s.Description)
	if s.ExpiresAt != nil {
		// The stored time and the time in the answer must not differ.
		at := s.ExpiresAt.UTC().Truncate(time.Microsecond)
		s.ExpiresAt = &at
		found.checkExpiry(at, now)
	}

	return s, found.asFault("the key is not valid")
}

// isValidName reports whether a text can be the name of an application: 1 to 128 ASCII
// letters, digits, dots, underscores and hyphens, the first a letter or a digit.
func isValidName(name string) bool {
	if name == "" || len(name) > MaxNameLength || !isDigit(name[0]) && !isLetter(name[0]) {
		return false
	}

	for i := range len(name) {
		if c := name[i]; !isDigit(c) && !isLetter(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}

	return true
}

// violations collects all violations, so that one answer reports them all.
type violations []fault.Violation

func (v *violations) add(pointer string, code fault.Code, detail string) {
	*v = append(*v, fault.Violation{Pointer: pointer, Code: code, Detail: detail})
}

func (v *violations) asFault(detail string) error {
	if len(*v) == 0 {
		return nil
	}

	return &fault.Error{Kind: fault.Invalid, Code: fault.CodeInvalidRequest, Detail: detail, Violations: *v}
}

func (v *violations) checkName(name string) {
	const rule = "a name has 1 to 128 letters, digits, dots, underscores and hyphens and begins with a letter or a digit"
	switch {
	case name == "":
		v.add("/name", fault.CodeMissingField, rule)
	case utf8.RuneCountInString(name) > MaxNameLength:
		v.add("/name", fault.CodeInvalidLength, rule)
	case !isValidName(name):
		v.add("/name", fault.CodeInvalidRequest, rule)
	}
}

func (v *violations) checkRateLimit(limit *int) {
	if limit != nil && (*limit < 1 || *limit > MaxRateLimit) {
		v.add("/rate_limit", fault.CodeNumberOutOfRange,
			fmt.Sprintf("rate_limit is from 1 to %d events a second, or null for none", MaxRateLimit))
	}
}

// normalizeOrigins returns the origins as browsers write them, and never nil.
func (v *violations) normalizeOrigins(origins []string) []string {
	if len(origins) > MaxOrigins {
		v.add("/allowed_origins", fault.CodeInvalidLength, fmt.Sprintf("at most %d origins are allowed", MaxOrigins))
		return []string{}
	}

	read := make([]string, 0, len(origins))
	for i, text := range origins {
		pointer := "/allowed_origins/" + strconv.Itoa(i)
		origin := text
		ok := text == AnyOrigin
		if !ok {
			origin, ok = parseOrigin(text)
		}

		switch {
		case !ok:
			v.add(pointer, fault.CodeInvalidRequest,
				"an origin is written scheme://host or scheme://host:port, with http or https and without a path, or is *")
		case slices.Contains(read, origin):
			v.add(pointer, fault.CodeInvalidRequest, "the origin is listed twice")
		default:
			read = append(read, origin)
		}
	}

	return read
}

func (v *violations) checkScopes(scopes []Scope) {
	const rule = "a key has one or more of the scopes ingest, read and admin, each once"
	switch {
	case len(scopes) == 0:
		v.add("/scopes", fault.CodeMissingField, rule)
		return
	case len(scopes) > maxScopes:
		v.add("/scopes", fault.CodeInvalidLength, rule)
		return
	}

	for i, scope := range scopes {
		if !scope.isKnown() || slices.Contains(scopes[:i], scope) {
			v.add("/scopes/"+strconv.Itoa(i), fault.CodeInvalidRequest, rule)
		}
	}
}

// checkPublicKey sets the rate limit of a public key, if the spec has none.
func (v *violations) checkPublicKey(s *KeySpec) {
	if len(s.Scopes) > 0 {
		v.add("/scopes", fault.CodeInvalidRequest, "a public key has no scopes: it may only collect events; leave scopes out")
	}

	if s.OrganisationWide {
		v.add("/organisation_wide", fault.CodeInvalidRequest, "a public key cannot read, so it cannot be organisation-wide")
	}

	if s.RateLimit == nil {
		limit := DefaultPublicRate
		s.RateLimit = &limit
	}

	if *s.RateLimit < 1 || *s.RateLimit > MaxPublicRate {
		v.add("/rate_limit", fault.CodeNumberOutOfRange,
			fmt.Sprintf("the rate_limit of a public key is from 1 to %d events a second from one address", MaxPublicRate))
	}

	s.Scopes = []Scope{}
}

func (v *violations) checkPrivateKey(use *PublicUse) {
	const rule = "only a public key has this; add public: true, or leave it out"
	if use.AnyOrigin {
		v.add("/any_origin", fault.CodeInvalidRequest, rule)
	}

	if use.RegisteredOnly {
		v.add("/registered_only", fault.CodeInvalidRequest, rule)
	}

	if use.RateLimit != nil {
		v.add("/rate_limit", fault.CodeInvalidRequest, "only a public key has a rate limit of its own; that of the application holds for all its keys")
	}
}

func (v *violations) checkDescription(text string) {
	switch {
	case utf8.RuneCountInString(text) > MaxDescriptionLength:
		v.add("/description", fault.CodeInvalidLength, fmt.Sprintf("a description has at most %d characters", MaxDescriptionLength))
	case !isPrintable(text):
		v.add("/description", fault.CodeInvalidRequest, "a description is text without control characters")
	}
}

func (v *violations) checkExpiry(at, now time.Time) {
	switch {
	case !at.After(now):
		v.add("/expires_at", fault.CodeInvalidTimestamp, "expires_at lies in the future, or is null for never")
	case at.Year() > maxYear:
		v.add("/expires_at", fault.CodeInvalidTimestamp, "expires_at is before the year 10000, or null for never")
	}
}

// isPrintable reports whether a text can be stored and shown on one line.
func isPrintable(text string) bool {
	if !utf8.ValidString(text) {
		return false
	}

	for _, r := range text {
		if unicode.IsControl(r) {
			return false
		}
	}

	return true
}
