package rejection

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// MaxIDs bounds how many rejections can be named at once.
const MaxIDs = 1000

// Filter says which open rejections are meant. Zero values do not filter. All that is
// set has to hold.
type Filter struct {
	// IDs are the rejections themselves.
	IDs []uuid.UUID
	// Code is among the reasons.
	Code        string
	Application string
	Category    string
	Name        string
	SessionID   uuid.NullUUID
	// From is inclusive and To exclusive, both on the time of receipt.
	From, To time.Time
}

// Selection is what a run is asked for.
type Selection struct {
	Filter

	// All says that no filter is meant to be no filter.
	All bool
	// Limit bounds how many are taken; 0 is no bound.
	Limit int
	// DryRun asks what a run would do. It changes nothing.
	DryRun bool
}

// normalize returns the selection with each id once, or a fault. A run over everything has
// to be asked for by name: a filter that was forgotten must not become one.
func (s Selection) normalize() (Selection, error) {
	filtered := s.queryString() != ""
	switch {
	case len(s.IDs) > MaxIDs:
		return s, invalidSelection("/ids", fmt.Sprintf("there are %d ids; at most %d are taken at once", len(s.IDs), MaxIDs))
	case s.IDs != nil && len(s.IDs) == 0:
		return s, invalidSelection("/ids", "ids is empty; name some errors, or filter")
	case s.IDs != nil && (filtered || s.All):
		return s, invalidSelection("/ids", "ids are given alone, without filters and without all")
	case s.All && filtered:
		return s, invalidSelection("/all", "all is given alone, without filters")
	case s.IDs == nil && !filtered && !s.All:
		return s, invalidSelection("", `say which errors are meant: ids, or some of code, application, category, name, session_id, from, to; or "all": true`)
	case s.Limit < 0:
		return s, invalidSelection("/limit", "limit is a number from 1 on")
	}

	ids := slices.Clone(s.IDs)
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	s.IDs = slices.Compact(ids)
	return s, nil
}

func invalidSelection(pointer, detail string) error {
	return fault.InvalidAt(fault.CodeInvalidRequest, pointer, detail)
}

// queryString renders the filters as a query string, which is empty without any.
func (f *Filter) queryString() string {
	values := url.Values{}
	for name, text := range map[string]string{"code": f.Code, "application": f.Application, "category": f.Category, "name": f.Name} {
		if text != "" {
			values.Set(name, text)
		}
	}

	if f.SessionID.Valid {
		values.Set("session_id", f.SessionID.UUID.String())
	}

	for name, at := range map[string]time.Time{"from": f.From, "to": f.To} {
		if !at.IsZero() {
			values.Set(name, event.FormatTimestamp(at))
		}
	}

	return values.Encode()
}

// auditTarget names a selection for the record of changes.
func (s *Selection) auditTarget() string {
	switch {
	case s.IDs != nil:
		return "ids"
	case s.All:
		return "all"
	}

	return s.queryString()
}

// lateArrivals is how far behind its beginning a run takes what was received, for the
// clocks of the replicas differ. It has an end, so that a run has one.
const lateArrivals = 5 * time.Second

// receivedUntil bounds a filter to what was received before a run began.
func (f Filter) receivedUntil(now time.Time) Filter {
	if end := now.Add(lateArrivals).UTC().Truncate(time.Microsecond); f.To.IsZero() || end.Before(f.To) {
		f.To = end
	}

	return f
}
