package query

import (
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Bound is one end of a range of times, as it was given. An empty text sets no bound.
type Bound struct {
	// Name is where it was given, such as a parameter or a flag, for the detail of a violation.
	Name string
	// Text is a timestamp in the format of events, or a day, which begins at midnight UTC.
	Text string
}

// ParseRange reads a range of times, and returns a violation for each bound that is wrong. A
// zero time means that the range has no such bound.
func ParseRange(first, last Bound) (from, to time.Time, wrong []fault.Violation) {
	from, fromDetail := first.parse()
	to, toDetail := last.parse()
	if fromDetail == "" && toDetail == "" && first.Text != "" && last.Text != "" && to.Before(from) {
		toDetail = last.Name + " lies before " + first.Name
	}

	if fromDetail != "" {
		wrong = append(wrong, fault.Violation{Parameter: first.Name, Code: fault.CodeInvalidParameter, Detail: fromDetail})
	}

	if toDetail != "" {
		wrong = append(wrong, fault.Violation{Parameter: last.Name, Code: fault.CodeInvalidParameter, Detail: toDetail})
	}

	return from, to, wrong
}

// parse returns the time, or the detail of a violation.
func (b Bound) parse() (at time.Time, detail string) {
	if b.Text == "" {
		return at, ""
	}

	at, ok := event.ParseTimestamp(b.Text)
	if !ok {
		day, err := time.Parse(time.DateOnly, b.Text)
		at, ok = day, err == nil
	}

	switch {
	case ok && at.IsZero(): // the zero time stands for none; no event lies in between
		return at.Add(time.Microsecond), ""
	case ok:
		return at, ""
	case event.LacksZone(b.Text):
		return time.Time{}, b.Name + " does not say in which zone it is: add Z or an offset, as in 2021-01-01T09:15:27Z"
	}

	return time.Time{}, b.Name + " is a time such as 2021-01-01T09:15:27Z, or a day such as 2021-01-01"
}

// ParseID reads a UUID in its one canonical form.
func ParseID(text string) (uuid.UUID, bool) {
	id, err := uuid.Parse(text)
	return id, err == nil && len(text) == len(uuid.Nil.String())
}
