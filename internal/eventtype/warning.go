package eventtype

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Warning is something in a schema that is allowed, and does nothing: most often it is
// misspelled.
type Warning struct {
	// Pointer leads to it, from the document that holds the schema.
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
	// Suggestion is what was probably meant; "" where nothing is like it.
	Suggestion string `json:"did_you_mean,omitempty"`
}

// String is the warning in one line.
func (w Warning) String() string {
	if w.Suggestion == "" {
		return w.Pointer + ": " + w.Detail
	}

	return fmt.Sprintf("%s: %s; did you mean %s?", w.Pointer, w.Detail, w.Suggestion)
}

// maxWarnings bounds how many of one schema are told.
const maxWarnings = 100

// Warnings returns what in the schema of the spec does nothing, in the order in which it
// stands there: unknown keywords and formats. Names that begin with x- are not looked at. It is
// never nil.
func (s Spec) Warnings() []Warning {
	all := []Warning{}
	if len(s.Schema) == 0 {
		return all
	}

	tree, err := readTree(s.Schema)
	if err != nil {
		return all // it is refused for that
	}

	known := allKeywords()
	draft := draftOf(tree)
	formats := Formats()
	for _, p := range schemasOf(tree, known) {
		for _, member := range p.schema {
			if w, found := checkMember(member, draft, known, formats); found && len(all) < maxWarnings {
				w.Pointer = "/schema" + p.at + formatPointer([]string{member.name})
				all = append(all, w)
			}
		}
	}

	return all
}

func checkMember(member objectMember, draft Draft, known map[string]keyword, formats []string) (Warning, bool) {
	of, found := known[member.name]
	switch {
	case strings.HasPrefix(member.name, "x-"):
		if near := nearestName(member.name, []string{MarkKeyword}); near != "" && member.name != MarkKeyword {
			return Warning{Detail: "the keyword " + quoteText(member.name) + " is unknown and marks nothing", Suggestion: near}, true
		}

		return Warning{}, false
	case found && (of.existsIn(Draft2020) || of.existsIn(draft)):
		format, isText := member.value.(string)
		if member.name != "format" || !isText || slices.Contains(formats, format) {
			return Warning{}, false
		}

		return Warning{Detail: "the format " + quoteText(format) + " is unknown and is not checked", Suggestion: nearestName(format, formats)}, true
	}

	detail := "the keyword " + quoteText(member.name) + " is unknown and does nothing"
	if found {
		detail = "the keyword " + quoteText(member.name) + " is of another draft and does nothing in 2020-12"
	}

	if instead := insteadOf(member.name); instead != "" {
		return Warning{Detail: detail, Suggestion: instead}, true
	}

	current := maps.Clone(known)
	maps.DeleteFunc(current, func(_ string, k keyword) bool { return !k.existsIn(Draft2020) })
	return Warning{Detail: detail, Suggestion: nearestName(member.name, slices.Sorted(maps.Keys(current)))}, true
}

// insteadOf says what 2020-12 has in the place of keywords of other drafts and dialects.
func insteadOf(name string) string {
	return map[string]string{
		"nullable": `"type": ["…", "null"]`, "id": "$id", "dependencies": "dependentRequired or dependentSchemas",
		"additionalItems": "items, after prefixItems", "$recursiveRef": "$dynamicRef", "$recursiveAnchor": "$dynamicAnchor",
		"divisibleBy": "multipleOf", "disallow": "not", "extends": "allOf", "example": "examples", "optional": "required",
	}[name]
}

// nearestName returns the name that differs from another one in the fewest letters, if it does
// in so few that it may have been meant; else "".
func nearestName(name string, names []string) string {
	const longest, perMistake, most = 40, 3, 3
	if len(name) > longest {
		return ""
	}

	nearest, least := "", most+1
	for _, other := range names {
		n := editDistance(strings.ToLower(name), strings.ToLower(other))
		if n < least && n <= max(1, len(other)/perMistake) {
			nearest, least = other, n
		}
	}

	return nearest
}

// editDistance is how many letters have to be inserted, left out, replaced, or swapped with the
// next one to make one text of another.
func editDistance(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}

	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}

			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}

		before, last = last, row
	}

	return last[len(b)]
}
