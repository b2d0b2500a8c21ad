package chaos

import (
	"bytes"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
	"github.com/the-eye-events/the-eye/internal/event"
)

// applications is the number of applications that send. All of them send to the same sessions,
// so that a service's groups contain events of several applications.
const applications = 3

// applicationOf returns the application that sends an event.
func applicationOf(index uint64) int { return int(index % applications) }

// applicationName returns the name of an application.
func applicationName(n int) string { return fmt.Sprintf("shop-%d", n+1) }

// Some events are dated further ahead than the service allows. They are rejected, and a
// replay stores them once their time has come.
const (
	aheadEvery    = 67
	aheadBy       = 12 * time.Second
	aheadAllowed  = 5 * time.Second
	aheadCategory = "ahead of time"
)

// isAhead reports whether an event is dated ahead.
func isAhead(index uint64) bool { return index%aheadEvery == aheadEvery/3 && !isUnstorable(index) }

// content makes the events of a run.
type content struct{ *traffic.Source }

// MakeEvent implements reconcile.Source.
func (c content) MakeEvent(index uint64, at time.Time, scratch []byte) event.Event {
	e := c.Source.MakeEvent(index, at, scratch)
	if isAhead(index) {
		e.Category = aheadCategory
	}

	return e
}

// session returns the session of an event.
func (c content) session(index uint64) uuid.UUID {
	return c.Source.MakeEvent(index, time.Time{}, nil).SessionID
}

// conflictVariants returns the ways in which an event can differ from a stored event with the
// same id.
func conflictVariants() []func(e *event.Event) {
	return []func(e *event.Event){
		func(e *event.Event) { e.Name += " otherwise" },
		func(e *event.Event) { e.Category += " otherwise" },
		func(e *event.Event) { e.Timestamp = e.Timestamp.Add(-time.Second) },
		func(e *event.Event) { e.Data = append(e.Data[:len(e.Data)-1:len(e.Data)-1], `,"otherwise":true}`...) },
		func(e *event.Event) { e.SessionID = uuid.NewSHA1(e.SessionID, e.ID[:]) },
	}
}

// unstorableEvery is the number of events of which one cannot be stored.
const unstorableEvery = 61

// isUnstorable reports whether an event cannot be stored.
func isUnstorable(index uint64) bool { return index%unstorableEvery == unstorableEvery/2 }

// unstorableData returns JSON, or nearly JSON, that Postgres could not return unchanged.
func unstorableData(index uint64) []byte {
	kinds := []string{
		`{"n":1e131071}`, `{"s":"a\u0000b"}`, `{"s":"\ud800"}`, "{\"s\":\"\xff\xfe\"}", `{"a":1,"a":2}`,
		`{"\u0000":1}`, `{"n":` + string(bytes.Repeat([]byte("9"), 400)) + `}`,
		`{"d":` + string(bytes.Repeat([]byte("["), 40)) + string(bytes.Repeat([]byte("]"), 40)) + `}`,
	}

	return []byte(kinds[index/unstorableEvery%uint64(len(kinds))])
}
