package erasure

import (
	"bytes"
	"encoding/hex"
	"iter"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// SearchValue is a value of a payload in the forms in which it may be stored: as it was
// sent, or hashed because a schema marks it.
type SearchValue struct {
	Steps []string
	// Texts are the forms of the value, any of which matches.
	Texts []string
}

// Matcher decides which raw texts of rejections an erasure covers: the texts that name
// one of its sessions, and the texts that hold all of its values. In doubt, a text is
// covered. A Matcher is safe for concurrent use.
type Matcher struct {
	values []SearchValue
	// exact are the sessions by the 32 digits of their ids; heads and tails are their
	// halves, which find ids with a typing error.
	exact        map[string]bool
	heads, tails map[string][]string
	halves       []string
}

// The number of digits of a UUID and of half a UUID.
const (
	idDigits   = 32
	halfDigits = idDigits / 2
)

// NewMatcher makes a matcher for sessions and values; either may be empty.
func NewMatcher(sessions []uuid.UUID, wanted []SearchValue) *Matcher {
	m := &Matcher{values: wanted, exact: map[string]bool{}, heads: map[string][]string{}, tails: map[string][]string{}}
	for _, id := range sessions {
		digits := hex.EncodeToString(id[:])
		head := digits[:halfDigits]
		tail := digits[halfDigits:]
		m.exact[digits] = true
		m.heads[head] = append(m.heads[head], digits)
		m.tails[tail] = append(m.tails[tail], digits)
		m.halves = append(m.halves, head, tail)
	}

	return m
}

// Halves returns texts. Every raw text that names a session contains one of them, in
// lower case and without hyphens, unless it has escapes.
func (m *Matcher) Halves() []string { return m.halves }

// SearchValues returns the values.
func (m *Matcher) SearchValues() []SearchValue { return m.values }

// MatchesText reports whether the erasure covers a raw text.
func (m *Matcher) MatchesText(raw []byte) bool {
	return (len(m.exact) > 0 && m.namesSession(raw)) || (len(m.values) > 0 && m.hasAllValues(raw))
}

// namesSession reports whether a text names a session, in any case, with hyphens or
// without, with escapes, inside a longer text, or with one typing error.
func (m *Matcher) namesSession(raw []byte) bool {
	for run := range splitRuns(raw) {
		if m.runNamesSession(run) {
			return true
		}
	}

	return false
}

// splitRuns yields the runs of letters, digits and hyphens of a text, without their
// hyphens and in lower case.
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

// FindIDs returns the ids that a raw text names, up to a number: before the text is
// kept, the store checks whether one of them is an erased session.
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

// runNamesSession reports whether a run of letters and digits names a session.
func (m *Matcher) runNamesSession(run string) bool {
	for i := 0; i+idDigits <= len(run); i++ {
		if m.exact[run[i:i+idDigits]] {
			return true
		}
	}

	if len(run) < idDigits-1 || len(run) > idDigits+1 || isID(run) {
		return false // too different, or the id of another session
	}

	near := func(digits string) bool { return withinOneEdit(run, digits) }
	return slices.ContainsFunc(m.heads[run[:halfDigits]], near) || slices.ContainsFunc(m.tails[run[len(run)-halfDigits:]], near)
}

func isID(run string) bool {
	return len(run) == idDigits && strings.Trim(run, "0123456789abcdef") == ""
}

// withinOneEdit reports whether a and b differ by at most one missing, extra or wrong
// letter.
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

// hasAllValues reports whether a text holds all values: in JSON each at its path, which
// may begin anywhere in the text; in another text each in any place.
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

// hasWord reports whether a word occurs in a text and is not a part of a longer word.
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
