package query

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// EventFilter says which events are wanted, and in which order. Zero values do
// not filter. All that is set has to hold.
type EventFilter struct {
	SessionID uuid.NullUUID
	Category  string
	Name      string
	// Application is the name of one.
	Application string
	// From is inclusive and To exclusive, both on the timestamp.
	From, To time.Time
	// Descending asks for the newest first.
	Descending bool
	// Data are values in the payload. Admit has to have passed it.
	Data []DataFilter
}

// SessionFilter says which sessions are wanted, the latest started first.
type SessionFilter struct {
	// Application is the name of one that takes part.
	Application string
	// From is inclusive and To exclusive, both on the session's start.
	From, To time.Time
}

// RejectionFilter says which rejections are wanted, the newest first.
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
// bound to it.
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
