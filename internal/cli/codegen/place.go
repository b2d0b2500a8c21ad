package codegen

import (
	"net/url"
	"strconv"
	"strings"
)

// place is a schema at its place in a document.
type place struct {
	// pointer is the JSON Pointer of the schema; base is that of the schema around it that has
	// an $id, from which local references start.
	pointer string
	base    string
	schema  any
}

// child returns the place of the value under a keyword, and under the names below it.
func (p place) child(value any, tokens ...string) place {
	inner := place{p.pointer, p.base, value}
	for _, token := range tokens {
		inner.pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
	}

	return inner.rebase()
}

// rebase makes a schema with an $id the base of the references inside it.
func (p place) rebase() place {
	if schema, ok := p.schema.(map[string]any); ok {
		if _, named := schema["$id"].(string); named {
			p.base = p.pointer
		}
	}

	return p
}

// findTarget returns the place that a reference of a schema leads to, in the same document.
func (r *reader) findTarget(from place, ref string) (target place, found bool) {
	fragment, local := strings.CutPrefix(ref, "#")
	if !local {
		return place{}, false
	}

	if unescaped, err := url.PathUnescape(fragment); err == nil {
		fragment = unescaped
	}

	if fragment == "" || strings.HasPrefix(fragment, "/") {
		return r.follow(from.base + fragment)
	}

	return r.findAnchor(place{schema: r.document}.rebase(), from.base, fragment)
}

// follow returns the place of a pointer, which starts at the root of the document.
func (r *reader) follow(pointer string) (target place, found bool) {
	target = place{schema: r.document}.rebase()
	if pointer == "" {
		return target, true
	}

	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch holder := target.schema.(type) {
		case map[string]any:
			value, has := holder[token]
			if !has {
				return place{}, false
			}

			target = target.child(value, token)
		case []any:
			index, err := strconv.Atoi(token)
			if err != nil || index < 0 || index >= len(holder) {
				return place{}, false
			}

			target = target.child(holder[index], strconv.Itoa(index))
		default:
			return place{}, false
		}
	}

	return target, true
}

// findAnchor looks for the schema with an anchor, among those whose base is the given one.
func (r *reader) findAnchor(at place, base, anchor string) (target place, found bool) {
	switch holder := at.schema.(type) {
	case map[string]any:
		if holder["$anchor"] == anchor && at.base == base {
			return at, true
		}

		for _, name := range sortedNames(holder) {
			if name == "enum" || name == "const" {
				continue
			}

			if target, found = r.findAnchor(at.child(holder[name], name), base, anchor); found {
				return target, true
			}
		}
	case []any:
		for i, inner := range holder {
			if target, found = r.findAnchor(at.child(inner, strconv.Itoa(i)), base, anchor); found {
				return target, true
			}
		}
	}

	return place{}, false
}
