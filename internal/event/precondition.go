package event

import (
	"slices"
	"strings"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// Precondition holds the conditions of a request on the resource that it reads or changes, by
// entity tags: its If-Match and If-None-Match headers (RFC 9110, section 13.1). Nil sets no
// condition. It is immutable once parsed.
type Precondition struct {
	match, noneMatch tagList
}

// tagList is the value of one of the headers.
type tagList struct {
	given, any bool
	// opaque are the tags without quotes and marks of weakness.
	opaque []string
}

// ParsePrecondition reads the values of the two headers, nil for one that was not sent. It
// returns an Invalid fault for a header that is empty or malformed: its sender does not want an
// unconditional write.
func ParsePrecondition(ifMatch, ifNoneMatch []string) (*Precondition, error) {
	var p Precondition
	var ok bool
	if p.match, ok = parseTags(ifMatch); !ok {
		return nil, malformedFault("If-Match")
	}

	if p.noneMatch, ok = parseTags(ifNoneMatch); !ok {
		return nil, malformedFault("If-None-Match")
	}

	return &p, nil
}

func malformedFault(header string) error {
	return fault.New(fault.Invalid, fault.CodeInvalidHeader, header+` is an ETag as it came, in its double quotes, or a list of them, or *`)
}

// NamesTags reports whether If-Match names tags, so that a resource without a tag cannot match.
func (p *Precondition) NamesTags() bool { return p != nil && p.match.given && !p.match.any }

// Allows returns a PreconditionFailed fault unless the resource with this entity tag may be
// changed; "" is the tag of a missing resource.
func (p *Precondition) Allows(tag string) error {
	switch {
	case p == nil:
		return nil
	case p.match.given && tag == "":
		return fault.New(fault.PreconditionFailed, fault.CodePreconditionFailed, "If-Match asks for something that is not there")
	case p.match.given && !p.match.hasTag(tag):
		return fault.New(fault.PreconditionFailed, fault.CodePreconditionFailed, "it was changed meanwhile: read it again, and send the ETag of what you read")
	case tag != "" && p.Has(tag):
		return fault.New(fault.PreconditionFailed, fault.CodePreconditionFailed, "If-None-Match asks for something else than what is there")
	}

	return nil
}

// Has reports whether the client has the version with this tag, by If-None-Match.
func (p *Precondition) Has(tag string) bool {
	return p != nil && p.noneMatch.given && p.noneMatch.hasTag(tag)
}

// AllowsReading is Allows for a request that reads, for which If-None-Match never fails.
func (p *Precondition) AllowsReading(tag string) error {
	if p == nil {
		return nil
	}

	return (&Precondition{match: p.match}).Allows(tag)
}

// hasTag reports whether a tag of the service is in the list. A proxy that compresses answers
// turns strong tags into weak ones, or adds the encoding; the resource is the same.
func (l tagList) hasTag(tag string) bool {
	wanted := strings.Trim(tag, `"`)
	return l.any || slices.ContainsFunc(l.opaque, func(sent string) bool {
		rest, found := strings.CutPrefix(sent, wanted)
		return found && (rest == "" || isEncoding(rest))
	})
}

// isEncoding reports whether a text is a suffix that servers add to a tag when they compress the
// content: Apache, Jetty, Caddy and others.
func isEncoding(suffix string) bool {
	encoding := strings.TrimLeft(suffix, "-;:")
	return encoding != suffix && slices.Contains([]string{"gzip", "br", "zstd", "deflate"}, encoding)
}

// parseTags reads a list of entity tags, or an asterisk.
func parseTags(values []string) (l tagList, ok bool) {
	if values == nil {
		return l, true
	}

	l.given = true
	rest := strings.Trim(strings.Join(values, ","), " \t")
	if rest == "*" {
		l.any = true
		return l, true
	}

	for {
		rest = strings.TrimLeft(rest, " \t,") // a list may have empty elements
		if rest == "" {
			return l, len(l.opaque) > 0
		}

		opaque, behind, found := cutTag(rest)
		if !found {
			return l, false
		}

		l.opaque = append(l.opaque, opaque)
		rest = strings.TrimLeft(behind, " \t")
		if rest != "" && rest[0] != ',' {
			return l, false
		}
	}
}

// cutTag reads the entity tag at the beginning of a text.
func cutTag(text string) (opaque, behind string, found bool) {
	text = strings.TrimPrefix(text, "W/")
	text, quoted := strings.CutPrefix(text, `"`)
	if !quoted {
		return "", "", false
	}

	opaque, behind, found = strings.Cut(text, `"`)
	for i := range len(opaque) {
		if opaque[i] <= ' ' || opaque[i] == 0x7f {
			return "", "", false
		}
	}

	return opaque, behind, found && opaque != ""
}
