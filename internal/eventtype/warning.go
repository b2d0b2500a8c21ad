package eventtype

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Warning is about a part of a schema that is allowed but has no effect: most often it
// is misspelled.
type Warning struct {
	// Pointer leads to that part, from the document that holds the schema.
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
	// Suggestion is the name that was probably meant; "" if no name is similar.
	Suggestion string `json:"did_you_mean,omitempty"`
}

// String returns the warning in one line.
func (w Warning) String() string {
	if w.Suggestion == "" {
		return w.Pointer + ": " + w.Detail
	}

	return fmt.Sprintf("%s: %s; did you mean %s?", w.Pointer, w.Detail, w.Suggestion)
}

// maxWarnings bounds the warnings about one schema.
const maxWarnings = 100

// Warnings returns warnings about unknown keywords and formats in the schema of the
// spec, in their order in the schema. Names that begin with x- are ignored. The result
// is never nil.
func (s Spec) Warnings() []Warning {
	all := []Warning{}
	if len(s.Schema) == 0 {
		return all
	}

	tree, err := readTree(s.Schema)
	if err != nil {
		return all // Validate rejects it
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

// insteadOf returns the equivalent in 2020-12 of a keyword of another draft or dialect.
func insteadOf(name string) string {
	return map[string]string{
		"nullable": `"type": ["…", "null"]`, "id": "$id", "dependencies": "dependentRequired or dependentSchemas",
		"additionalItems": "items, after prefixItems", "$recursiveRef": "$dynamicRef", "$recursiveAnchor": "$dynamicAnchor",
		"divisibleBy": "multipleOf", "disallow": "not", "extends": "allOf", "example": "examples", "optional": "required",
	}[name]
}

// nearestName returns the name with the smallest edit distance from a name, if it is so
// close that it may have been meant; otherwise "".
func nearestName(name string, names []string) string {
	const longest, perMistake, most = 40, 3, 3
	if len(name) > longest {
		return ""
	}

	nearest := ""
	least := most + 1
	for _, other := range names {
		n := editDistance(strings.ToLower(name), strings.ToLower(other))
		if n < least && n <= max(1, len(other)/perMistake) {
			nearest = other
			least = n
		}
	}

	return nearest
}

// editDistance returns how many letters have to be inserted, left out, replaced, or
// swapped with the next one to turn one text into the other.
func editDistance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
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

		before = last
		last = row
	}

	return last[len(b)]
}
