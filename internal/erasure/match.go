package erasure

import (
	"bytes"
	"encoding/hex"
	"iter"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// SearchValue is a value of a payload as it may be kept: as it was sent, or hashed because a
// schema asks for that.
type SearchValue struct {
	Steps []string
	// Texts are the forms of the value, any of which is meant.
	Texts []string
}

// Matcher tells which raw texts of refused events an erasure covers: those that name one
// of its sessions, and those that hold all of its values. It would rather take one text
// too many. It is safe for concurrent use.
type Matcher struct {
	values []SearchValue
	// exact are the sessions by the 32 digits of their ids; heads and tails are their
	// halves, by which ids with a typing error are found.
	exact        map[string]bool
	heads, tails map[string][]string
	halves       []string
}

// The digits of a UUID and of a half of one.
const (
	idDigits   = 32
	halfDigits = idDigits / 2
)

// NewMatcher makes a matcher for sessions and values; either may be none.
func NewMatcher(sessions []uuid.UUID, wanted []SearchValue) *Matcher {
	m := &Matcher{values: wanted, exact: map[string]bool{}, heads: map[string][]string{}, tails: map[string][]string{}}
	for _, id := range sessions {
		digits := hex.EncodeToString(id[:])
		head, tail := digits[:halfDigits], digits[halfDigits:]
		m.exact[digits] = true
		m.heads[head] = append(m.heads[head], digits)
		m.tails[tail] = append(m.tails[tail], digits)
		m.halves = append(m.halves, head, tail)
	}

	return m
}

// Halves are texts of which a raw text that names a session has one, in lower case and
// without hyphens, unless it has escapes.
func (m *Matcher) Halves() []string { return m.halves }

// SearchValues are the values.
func (m *Matcher) SearchValues() []SearchValue { return m.values }

// MatchesText reports whether a raw text is covered.
func (m *Matcher) MatchesText(raw []byte) bool {
	return (len(m.exact) > 0 && m.namesSession(raw)) || (len(m.values) > 0 && m.hasAllValues(raw))
}

// namesSession reports whether a text names a session, in any case, with hyphens or without, with
// escapes, inside of something longer, or with one typing error.
func (m *Matcher) namesSession(raw []byte) bool {
	for run := range splitRuns(raw) {
		if m.runNamesSession(run) {
			return true
		}
	}

	return false
}

// splitRuns gives the runs of letters, digits and hyphens of a text, without their hyphens and
// in lower case.
func splitRuns(raw []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		between := func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') && r != '-' }
		for run := range bytes.FieldsFuncSeq(bytes.ToLower(unescapeText(raw)), between) {
			if len(run) >= idDigits-1 && !yield(string(bytes.ReplaceAll(run, []byte("-"), nil))) {
				return
			}
		}
	}
}

// FindIDs returns ids that a raw text names, at most so many: whoever is about to keep it
// asks which of them are sessions that were erased.
func FindIDs(raw []byte, most int) (ids []uuid.UUID) {
	for run := range splitRuns(raw) {
		if !isID(run) {
			continue
		}

		if id, err := uuid.Parse(run); err == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}

		if len(ids) == most {
			break
		}
	}

	return ids
}

// runNamesSession does the same for a run of letters and digits.
func (m *Matcher) runNamesSession(run string) bool {
	for i := 0; i+idDigits <= len(run); i++ {
		if m.exact[run[i:i+idDigits]] {
			return true
		}
	}

	if len(run) < idDigits-1 || len(run) > idDigits+1 || isID(run) {
		return false // it is too different, or it is the id of another session
	}

	near := func(digits string) bool { return withinOneEdit(run, digits) }
	return slices.ContainsFunc(m.heads[run[:halfDigits]], near) || slices.ContainsFunc(m.tails[run[len(run)-halfDigits:]], near)
}

func isID(run string) bool {
	return len(run) == idDigits && strings.Trim(run, "0123456789abcdef") == ""
}

// withinOneEdit reports whether one letter that is missing, too many or wrong makes a of b.
func withinOneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}

	if len(b)-len(a) > 1 {
		return false
	}

	same := 0
	for same < len(a) && a[same] == b[same] {
		same++
	}

	if len(a) == len(b) {
		return same == len(a) || a[same+1:] == b[same+1:]
	}

	return a[same:] == b[same+1:]
}

// hasAllValues reports whether a text holds all values: where it is JSON, each below its path,
// wherever in the text that begins; else each somewhere.
func (m *Matcher) hasAllValues(raw []byte) bool {
	if documents, ok := parseDocuments(raw); ok {
		return m.everyValue(func(w *SearchValue) bool {
			return slices.ContainsFunc(documents, func(n node) bool { return n.containsValue(w, maxNestedStrings) })
		})
	}

	plain := unescapeText(raw)
	return m.everyValue(func(w *SearchValue) bool {
		return slices.ContainsFunc(w.Texts, func(text string) bool { return hasWord(raw, text) || hasWord(plain, text) })
	})
}

func (m *Matcher) everyValue(holds func(*SearchValue) bool) bool {
	for i := range m.values {
		if !holds(&m.values[i]) {
			return false
		}
	}

	return true
}

// hasWord reports whether a word occurs in a text and is not a part of a longer one.
func hasWord(text []byte, word string) bool {
	isPart := func(c byte) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	for from := 0; ; {
		at := bytes.Index(text[from:], []byte(word))
		if at < 0 {
			return false
		}

		at += from
		ends := at + len(word)
		if (at == 0 || !isPart(text[at-1])) && (ends == len(text) || !isPart(text[ends])) {
			return true
		}

		from = at + 1
	}
}
