package eventtype

import (
	"net/url"
	"strings"
)

// convertReference returns a $ref to the new location of its target.
func (c *conversion) convertReference(value any, at string) any {
	text, ok := value.(string)
	if !ok {
		return value
	}

	location, fragment, found := strings.Cut(text, "#")
	if !found || !strings.HasPrefix(fragment, "/") {
		return value
	}

	reference, err := url.Parse(location)
	if err != nil {
		return value
	}

	resource := c.base[at]
	if location != "" {
		resource = resource.ResolveReference(reference)
	}

	root, known := c.roots[resource.String()]
	if !known {
		return value
	}

	target := c.locationOf(root + unescapeFragment(fragment))
	return location + "#" + (&url.URL{Fragment: strings.TrimPrefix(target, c.newLocations[root])}).EscapedFragment()
}

// locationOf returns the new location of a place: of a schema, or of a value below one,
// such as true.
func (c *conversion) locationOf(at string) string {
	for outer := at; ; outer = outer[:strings.LastIndexByte(outer, '/')] {
		if moved, known := c.newLocations[outer]; known {
			if outer == at {
				return moved
			}

			keyword, below, _ := strings.Cut(at[len(outer)+1:], "/")
			return moved + c.newLocation(c.schemas[outer].schema, keyword, below)
		}

		if outer == "" {
			return at
		}
	}
}
