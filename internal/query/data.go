package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of filters on payloads.
const (
	// MaxDataFilters is how many such filters a query may have.
	MaxDataFilters = 5
	// maxDataPath bounds the text of a path, and maxDataDepth its steps.
	maxDataPath  = 512
	maxDataDepth = 32
	// maxDataRange is the longest range of time that is searched for values in payloads
	// without an index.
	maxDataRange = 31 * 24 * time.Hour
)

// DataPath leads to a value in a payload. Its steps are names of members and indexes of
// arrays.
type DataPath []string

// ParseDataPath parses a path in the syntax of parameters: steps with dots between
// them, and a backslash before a dot or a backslash that belongs to a name.
func ParseDataPath(text string) (DataPath, error) {
	path := DataPath{}
	step := strings.Builder{}
	escaped := false
	for _, c := range text {
		switch {
		case !escaped && c == '\\':
			escaped = true
			continue
		case escaped && c != '.' && c != '\\':
			return nil, fmt.Errorf(`%q: only a dot or a backslash may follow a backslash`, text)
		case !escaped && c == '.':
			path = append(path, step.String())
			step.Reset()
		default:
			step.WriteRune(c)
		}

		escaped = false
	}

	path = append(path, step.String())
	switch {
	case escaped:
		return nil, fmt.Errorf("%q ends with a backslash", text)
	case len(text) > maxDataPath || len(path) > maxDataDepth:
		return nil, fmt.Errorf("a path has at most %d bytes and %d steps", maxDataPath, maxDataDepth)
	}

	if slices.Contains(path, "") {
		return nil, fmt.Errorf("%q has an empty step", text)
	}

	return path, nil
}

// String returns the path in the syntax of parameters.
func (p DataPath) String() string {
	steps := make([]string, len(p))
	for n, step := range p {
		steps[n] = strings.NewReplacer(`\`, `\\`, `.`, `\.`).Replace(step)
	}

	return strings.Join(steps, ".")
}

// DataFilter selects events with a value at a path of their payload. A value is
// compared as text: strings without quotes, other values as JSON rendered by Postgres.
type DataFilter struct {
	Path  DataPath
	Value string
	// indexed means that an index leads to the value.
	indexed bool
}

// IsIndexed reports whether an index leads to the value; Finder.AdmitFilter sets it.
func (d DataFilter) IsIndexed() bool { return d.indexed }

// PathStore knows the indexes on payloads.
type PathStore interface {
	// FindIndexed returns for each path whether an index finds the events of a type by
	// it.
	FindIndexed(ctx context.Context, category, name string, paths []DataPath) ([]bool, error)
}

// AdmitFilter determines which indexes a filter can use, and rejects a filter that
// would search the payloads of too many events: it needs a session, a range of time, or
// an index.
func (f *Finder) AdmitFilter(ctx context.Context, filter *EventFilter) error {
	if len(filter.Data) == 0 || filter.SessionID.Valid {
		return nil
	}

	found := false
	if filter.Category != "" && filter.Name != "" {
		paths := make([]DataPath, len(filter.Data))
		for n, d := range filter.Data {
			paths[n] = d.Path
		}

		indexed, err := f.FindIndexed(ctx, filter.Category, filter.Name, paths)
		if err != nil {
			return err
		}

		for n := range filter.Data {
			filter.Data[n].indexed = indexed[n]
			found = found || indexed[n]
		}
	}

	bounded := !filter.From.IsZero() && !filter.To.IsZero() && filter.To.Sub(filter.From) <= maxDataRange
	if found || bounded {
		return nil
	}

	return invalidParameter("data."+filter.Data[0].Path.String(), fmt.Sprintf(
		"a filter on the payload searches every event in its range: give session_id, or from and to at most %d days apart, "+
			`or category and name of a type whose schema marks the path with "x-theeye": "indexed" and whose index is built`,
		maxDataRange/(24*time.Hour)))
}
