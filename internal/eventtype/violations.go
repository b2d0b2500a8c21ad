package eventtype

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// mismatch is one violation, at a pointer below the value.
type mismatch struct {
	pointer string
	detail  string
}

// disclosure is the part of a value and its place that may be shown.
type disclosure struct {
	// steps is how many steps of the path may be shown: names inside a marked value are
	// values themselves.
	steps int
	// names means that the names of its members may be shown, and value that the value
	// itself may be.
	names, value bool
}

// disclosureFunc returns the disclosure of the value at a path.
type disclosureFunc func(path []string) disclosure

func discloseAll(path []string) disclosure {
	return disclosure{steps: len(path), names: true, value: true}
}

// disclosures returns the disclosures that the marks allow.
func (m *marks) disclosures() disclosureFunc {
	if !m.hasMarks() {
		return discloseAll
	}

	return m.newLooseRedactor(nil).limitDisclosure
}

// listViolations returns the errors of a validation as violations of an event.
func listViolations(err *jsonschema.ValidationError, concealed disclosureFunc) []fault.Violation {
	found := flattenErrors(err, concealed)
	found = found[:min(len(found), event.MaxViolations)]
	all := make([]fault.Violation, len(found))
	for i, f := range found {
		at := event.CutPointer("/data"+f.pointer, event.LongestPointer(0))
		all[i] = fault.Violation{Pointer: at, Code: fault.CodeSchemaViolation, Detail: shortenText(at) + " " + f.detail}
	}

	return all
}

// flattenErrors lists the mismatches by pointer, and not many more than can be
// reported: there may be one for each byte of a payload. If none of several
// alternatives fits, it lists the mismatches of the nearest one.
func flattenErrors(err *jsonschema.ValidationError, concealed disclosureFunc) []mismatch {
	var all []mismatch
	collectMismatches(err, concealed, &all)
	slices.SortStableFunc(all, func(a, b mismatch) int { return strings.Compare(a.pointer, b.pointer) })
	return slices.Compact(all)
}

func collectMismatches(err *jsonschema.ValidationError, concealed disclosureFunc, into *[]mismatch) {
	switch {
	case len(*into) >= event.MaxViolations:
		return
	case isAlternatives(err):
		detail := fmt.Sprintf("fits none of the %d alternatives; what is wrong with the nearest follows", len(err.Causes))
		steps := concealed(err.InstanceLocation).steps
		*into = append(*into, mismatch{formatPointer(err.InstanceLocation[:steps]), detail})
		collectMismatches(nearestAlternative(err), concealed, into)
		return
	}

	_, isName := err.ErrorKind.(*kind.PropertyNames) // the causes have no location
	if len(err.Causes) == 0 || isName {
		*into = append(*into, describeError(err, concealed)...)
		return
	}

	for _, cause := range err.Causes {
		collectMismatches(cause, concealed, into)
	}
}

// isAlternatives reports whether an error means that none of several alternatives fits.
func isAlternatives(err *jsonschema.ValidationError) bool {
	switch err.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		return len(err.Causes) > 0
	}

	return false
}

// nearestAlternative returns the alternative whose errors lead deepest into the
// payload, and among several of them the one with the fewest errors.
func nearestAlternative(err *jsonschema.ValidationError) *jsonschema.ValidationError {
	best := err.Causes[0]
	depth := -1
	count := 0
	for _, cause := range err.Causes {
		if d, n := measureError(cause); d > depth || (d == depth && n < count) {
			best = cause
			depth = d
			count = n
		}
	}

	return best
}

// measureError returns how deep an error leads into the payload, and how many errors it
// consists of.
func measureError(err *jsonschema.ValidationError) (depth, count int) {
	depth = len(err.InstanceLocation)
	if len(err.Causes) == 0 {
		return depth, 1
	}

	for _, cause := range err.Causes {
		d, n := measureError(cause)
		depth = max(depth, d)
		count += n
	}

	return depth, count
}

// describeError describes the expected and the found value.
func describeError(err *jsonschema.ValidationError, concealed disclosureFunc) []mismatch {
	may := concealed(err.InstanceLocation)
	at := err.InstanceLocation[:may.steps]
	one := func(detail string) []mismatch { return []mismatch{{formatPointer(at), detail}} }
	if len(at) < len(err.InstanceLocation) {
		return one("holds something that does not fit")
	}

	show := func(value any) string {
		if !may.value {
			return "another value"
		}

		return renderValue(value)
	}
	if found := describeNames(err.ErrorKind, at, may.names); found != nil {
		return found
	}

	switch k := err.ErrorKind.(type) {
	case *kind.Type:
		return one("is " + withArticle(k.Got) + "; expected " + joinAlternatives(k.Want, withArticle))
	case *kind.Enum:
		return one("is " + show(k.Got) + "; expected " + joinAlternatives(k.Want, renderValue))
	case *kind.Const:
		return one("is " + show(k.Got) + "; expected " + renderValue(k.Want))
	case *kind.Format:
		detail := "is " + show(k.Got) + "; expected the format " + k.Want
		if k.Want == "regex" && k.Err != nil && may.value { // in a schema
			detail = "is " + show(k.Got) + "; expected a regular expression (RE2, as of Go): " + k.Err.Error()
		}

		return one(detail)
	case *kind.Pattern:
		return one("is " + show(k.Got) + "; expected a match of " + quoteText(k.Want))
	case *kind.FalseSchema:
		return one("is not allowed here")
	}

	if found, expected, ok := describeBound(err.ErrorKind); ok {
		if !may.value {
			found = "is another value"
		}

		return one(found + "; expected " + expected)
	}

	return one("does not fit: " + err.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
}

// describeNames is describeError for errors about the names of members.
func describeNames(of jsonschema.ErrorKind, at []string, mayName bool) []mismatch {
	one := func(detail string) []mismatch { return []mismatch{{formatPointer(at), detail}} }
	each := func(names []string, detail string) []mismatch {
		all := make([]mismatch, len(names))
		for i, name := range names {
			all[i] = mismatch{formatPointer(append(slices.Clone(at), name)), detail}
		}

		return all
	}
	switch k := of.(type) {
	case *kind.Required:
		return each(k.Missing, "is required and missing")
	case *kind.DependentRequired:
		return each(k.Missing, "is required along with "+quoteText(k.Prop)+" and missing")
	case *kind.PropertyNames:
		if !mayName {
			return one("has a member of a name that does not fit")
		}

		return one("has a member " + quoteText(k.Property) + "; expected other names")
	case *kind.AdditionalProperties:
		if !mayName {
			return one("has members that the schema does not know")
		}

		return each(k.Properties, "is a member that the schema does not know")
	}

	return nil
}

// describeBound describes the found and the expected value of a number or a size that
// is out of bounds.
func describeBound(of jsonschema.ErrorKind) (found, expected string, ok bool) {
	const least, most = "at least ", "at most "
	number := func(got, want *big.Rat, word string) (string, string, bool) {
		return "is " + formatDecimal(got), word + formatDecimal(want), true
	}
	size := func(got, want int, word, unit string) (string, string, bool) {
		return fmt.Sprintf("has %d %s", got, unit), word + strconv.Itoa(want), true
	}
	switch k := of.(type) {
	case *kind.Minimum:
		return number(k.Got, k.Want, least)
	case *kind.Maximum:
		return number(k.Got, k.Want, most)
	case *kind.ExclusiveMinimum:
		return number(k.Got, k.Want, "more than ")
	case *kind.ExclusiveMaximum:
		return number(k.Got, k.Want, "less than ")
	case *kind.MultipleOf:
		return number(k.Got, k.Want, "a multiple of ")
	case *kind.MinLength:
		return size(k.Got, k.Want, least, "characters")
	case *kind.MaxLength:
		return size(k.Got, k.Want, most, "characters")
	case *kind.MinItems:
		return size(k.Got, k.Want, least, "items")
	case *kind.MaxItems:
		return size(k.Got, k.Want, most, "items")
	case *kind.MinProperties:
		return size(k.Got, k.Want, least, "members")
	case *kind.MaxProperties:
		return size(k.Got, k.Want, most, "members")
	}

	return "", "", false
}

// formatDecimal writes a number with up to ten decimal places.
func formatDecimal(n *big.Rat) string {
	const digits = 10
	text := n.FloatString(digits)
	return shortenText(strings.TrimSuffix(strings.TrimRight(text, "0"), "."))
}

// formatPointer writes a path as a JSON Pointer (RFC 6901).
func formatPointer(path []string) string {
	var b strings.Builder
	for _, token := range path {
		b.WriteByte('/')
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1"))
	}

	return b.String()
}

// maxShown bounds how much of a value is shown, in bytes.
const maxShown = 64

// renderValue renders a value for a message: whole if it is small.
func renderValue(value any) string {
	switch value.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "an array"
	}

	text, err := encodeJSON(value)
	if err != nil {
		return "a value"
	}

	return shortenText(string(text))
}

func quoteText(text string) string { return renderValue(text) }

func shortenText(text string) string {
	if len(text) <= maxShown {
		return text
	}

	cut := maxShown
	for !utf8.RuneStart(text[cut]) {
		cut--
	}

	return text[:cut] + "…"
}

// withArticle puts a type's name into a sentence.
func withArticle(name string) string {
	switch name {
	case "null":
		return name
	case "object", "array", "integer":
		return "an " + name
	}

	return "a " + name
}

// joinAlternatives lists the expected values, ten at most.
func joinAlternatives[T any](wanted []T, render func(T) string) string {
	const most = 10
	var texts []string
	for _, w := range wanted[:min(len(wanted), most)] {
		texts = append(texts, render(w))
	}

	text := strings.Join(texts, " or ")
	if len(wanted) > most {
		text += fmt.Sprintf(" or one of %d others", len(wanted)-most)
	}

	return text
}
