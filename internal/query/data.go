package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of filters by payload.
const (
	// MaxDataFilters is how many an answer may be filtered by.
	MaxDataFilters = 5
	// maxDataPath bounds the text of a path, and maxDataDepth its steps.
	maxDataPath  = 512
	maxDataDepth = 32
	// maxDataRange is the longest range of time that is searched for payloads that
	// no index leads to.
	maxDataRange = 31 * 24 * time.Hour
)

// DataPath leads to a value in a payload: names of members, and indexes of arrays.
type DataPath []string

// ParseDataPath reads a path as parameters have it: steps with dots between them, and
// a backslash before a dot or a backslash that belongs to a name.
func ParseDataPath(text string) (DataPath, error) {
	path, step := DataPath{}, strings.Builder{}
	escaped := false
	for _, c := range text {
		switch {
		case !escaped && c == '\\':
			escaped = true
			continue
		case escaped && c != '.' && c != '\\':
			return nil, fmt.Errorf(`%q: only a dot or a backslash stands behind a backslash`, text)
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

// String is the path as parameters have it.
func (p DataPath) String() string {
	steps := make([]string, len(p))
	for n, step := range p {
		steps[n] = strings.NewReplacer(`\`, `\\`, `.`, `\.`).Replace(step)
	}

	return strings.Join(steps, ".")
}

// DataFilter wants events with a value at a path of their payload. A value is compared
// as text: strings without quotes, anything else as JSON that Postgres renders.
type DataFilter struct {
	Path  DataPath
	Value string
	// indexed tells that an index leads to the value.
	indexed bool
}

// IsIndexed reports whether an index leads to the value; Finder.AdmitFilter finds it out.
func (d DataFilter) IsIndexed() bool { return d.indexed }

// PathStore knows the indexes of payloads.
type PathStore interface {
	// FindIndexed tells of each path whether the events of a type can be found by it.
	FindIndexed(ctx context.Context, category, name string, paths []DataPath) ([]bool, error)
}

// AdmitFilter finds out which indexes a filter can use, and refuses one that would search
// the payloads of too many events: it needs a session, a range of time, or an index.
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
		"a filter by payload searches every event in its way: give session_id, or from and to at most %d days apart, "+
			`or category and name of a type whose schema marks the path with "x-theeye": "indexed" and whose index is built`,
		maxDataRange/(24*time.Hour)))
}
