package query

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// EventFilter selects events and their order. Zero values do not filter. An event has
// to match all values that are set.
type EventFilter struct {
	SessionID uuid.NullUUID
	Category  string
	Name      string
	// Application is the name of an application.
	Application string
	// From is inclusive and To exclusive, both on the timestamp.
	From, To time.Time
	// Descending lists the newest first.
	Descending bool
	// Data are values in the payload. The filter must have passed Finder.AdmitFilter.
	Data []DataFilter
}

// SessionFilter selects sessions, the latest started first.
type SessionFilter struct {
	// Application is the name of an application that takes part.
	Application string
	// From is inclusive and To exclusive, both on the session's start.
	From, To time.Time
}

// RejectionFilter selects rejections, the newest first.
type RejectionFilter struct {
	// Code is among the reasons.
	Code        string
	Application string
	Category    string
	Name        string
	SessionID   uuid.NullUUID
	Status      string
	// From is inclusive and To exclusive, both on the time of receipt.
	From, To time.Time
}

// canonicalText renders a filter so that equal filters have equal texts: a cursor is
// bound to this text.
func (f EventFilter) canonicalText() string {
	var text strings.Builder
	fmt.Fprintf(&text, "events %v %q %q %q %d %d %t", f.SessionID, f.Category, f.Name, f.Application, f.From.UnixMicro(), f.To.UnixMicro(), f.Descending)
	for _, d := range f.Data {
		fmt.Fprintf(&text, " %q=%q", d.Path.String(), d.Value)
	}

	return text.String()
}

func (f SessionFilter) canonicalText() string {
	return fmt.Sprintf("sessions %q %d %d", f.Application, f.From.UnixMicro(), f.To.UnixMicro())
}

func (f RejectionFilter) canonicalText() string {
	return fmt.Sprintf("rejections %q %q %q %q %v %q %d %d", f.Code, f.Application, f.Category, f.Name, f.SessionID, f.Status, f.From.UnixMicro(), f.To.UnixMicro())
}
