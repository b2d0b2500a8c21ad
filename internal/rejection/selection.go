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

// Filter selects open rejections. Zero values do not filter. A rejection has to match
// all values that are set.
type Filter struct {
	// IDs are the ids of the rejections.
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

// Selection selects the rejections of a run.
type Selection struct {
	Filter

	// All confirms that the run has no filter on purpose.
	All bool
	// Limit bounds how many rejections are processed; 0 sets no bound.
	Limit int
	// DryRun asks for the totals that a run would have. It changes nothing.
	DryRun bool
}

// normalize returns the selection with each id once, or a fault. A run over everything
// has to be requested explicitly, so that a forgotten filter does not become one.
func (s Selection) normalize() (Selection, error) {
	filtered := s.queryString() != ""
	switch {
	case len(s.IDs) > MaxIDs:
		return s, invalidSelection("/ids", fmt.Sprintf("there are %d ids; at most %d are allowed at once", len(s.IDs), MaxIDs))
	case s.IDs != nil && len(s.IDs) == 0:
		return s, invalidSelection("/ids", "ids is empty; name some errors, or filter")
	case s.IDs != nil && (filtered || s.All):
		return s, invalidSelection("/ids", "ids are given alone, without filters and without all")
	case s.All && filtered:
		return s, invalidSelection("/all", "all is given alone, without filters")
	case s.IDs == nil && !filtered && !s.All:
		return s, invalidSelection("", `select errors: give ids, or some of code, application, category, name, session_id, from, to; or "all": true`)
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

// queryString renders the filters as a query string, which is empty without filters.
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

// auditTarget names a selection for the audit log.
func (s *Selection) auditTarget() string {
	switch {
	case s.IDs != nil:
		return "ids"
	case s.All:
		return "all"
	}

	return s.queryString()
}

// lateArrivals is how long after its beginning a run still includes received
// rejections, because the clocks of replicas differ. It is bounded, so that a run ends.
const lateArrivals = 5 * time.Second

// receivedUntil bounds a filter to rejections that were received before a run began.
func (f Filter) receivedUntil(now time.Time) Filter {
	if end := now.Add(lateArrivals).UTC().Truncate(time.Microsecond); f.To.IsZero() || end.Before(f.To) {
		f.To = end
	}

	return f
}
