package erasure

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// Bounds of what may be asked for at once.
const (
	// MaxSessions is how many sessions one erasure may name.
	MaxSessions = 1000
	// MaxValues is how many values of payloads one erasure may name.
	MaxValues = 5
	// maxValueBytes bounds the text of a value.
	maxValueBytes = 4096
)

// Value wants what has a value at a path of its payload. A value is compared as text:
// strings without quotes, numbers and booleans as JSON writes them.
type Value struct {
	// Path is the path as people write it, such as user.id.
	Path string
	// Steps are the names of members, and indexes of arrays, that lead to the value.
	Steps []string
	Text  string
}

// Request says what is to be erased: whole sessions, and the events and errors that have all
// of the values.
type Request struct {
	SessionIDs []uuid.UUID
	Values     []Value
	// MustExist asks for a NotFound fault where nothing is kept of the sessions.
	MustExist bool
}

// Validate refuses an ask that is empty or too large. Its faults point into the document of
// POST /v1/erasures.
func (a *Request) Validate() error {
	switch {
	case len(a.SessionIDs) == 0 && len(a.Values) == 0:
		return fault.InvalidAt(fault.CodeInvalidRequest, "", "say what to erase: data with values by path, session_ids, or both")
	case len(a.SessionIDs) > MaxSessions:
		return fault.InvalidAt(fault.CodeInvalidRequest, "/session_ids", fmt.Sprintf("an erasure names at most %d sessions; send several", MaxSessions))
	case len(a.Values) > MaxValues:
		return fault.InvalidAt(fault.CodeInvalidRequest, "/data", fmt.Sprintf("an erasure names at most %d values", MaxValues))
	}

	for _, v := range a.Values {
		if v.Text == "" || len(v.Text) > maxValueBytes {
			return fault.InvalidAt(fault.CodeInvalidRequest, "/data",
				fmt.Sprintf("the value of %q is empty or longer than %d bytes: it would not tell one person from others", v.Path, maxValueBytes))
		}
	}

	slices.SortFunc(a.SessionIDs, func(x, y uuid.UUID) int { return slices.Compare(x[:], y[:]) })
	a.SessionIDs = slices.Compact(a.SessionIDs)
	return nil
}

// RenderFilter renders the values as a JSON object, in the order of their paths. It is "{}"
// where there are none.
func (a *Request) RenderFilter() []byte {
	values := make(map[string]string, len(a.Values))
	for _, v := range a.Values {
		values[v.Path] = v.Text
	}

	text, _ := json.Marshal(values) // strings cannot fail
	return text
}

// Digest is by what the same ask is told while it is not finished.
func (a *Request) Digest() [sha256.Size]byte {
	text := a.RenderFilter()
	for _, id := range a.SessionIDs {
		text = append(text, id[:]...)
	}

	return sha256.Sum256(text)
}

// FilterDigest is what a receipt keeps of a filter: whoever knows the values can compute
// it, and nobody can read them from it. The id of the erasure makes it differ for the
// same person.
func FilterDigest(id uuid.UUID, filter []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte(id.String()), filter...))
}

// State is how far an erasure is.
type State string

// The states.
const (
	Waiting  State = "waiting"
	Running  State = "running"
	Finished State = "finished"
)

// Step is what an erasure does, one after the other.
type Step string

// The steps.
const (
	// Sessions erases the sessions with their events and errors.
	Sessions Step = "sessions"
	// Errors looks through the raw texts of all refused events.
	Errors Step = "errors"
	// Events looks through the payloads of all events.
	Events Step = "events"
	// Late looks through the events that were stored or changed meanwhile.
	Late Step = "late"
	// LateErrors looks through the texts of errors that were refused meanwhile.
	LateErrors Step = "late_errors"
)

// Counts tell how much was erased.
type Counts struct {
	// Sessions are those that were asked for, and those of which the values left nothing.
	Sessions int64 `json:"sessions"`
	Events   int64 `json:"events"`
	// Rejections are refused events that were erased, or whose text was.
	Rejections int64 `json:"errors"`
}

// Erasure is one erasure, and its receipt once it is finished.
type Erasure struct {
	ID         uuid.UUID
	SessionIDs []uuid.UUID
	// Paths are those of the values. Values are nil once it is finished.
	Paths  []string
	Values []Value
	// FilterDigest is nil where there are no values.
	FilterDigest []byte
	Actor        audit.Actor
	// StartedAt, FinishedAt and ErasedUntil are zero until they are known. What was
	// committed before ErasedUntil is erased.
	RequestedAt, StartedAt, FinishedAt, ErasedUntil time.Time
	Step                                            Step
	// Scanned are the texts of errors and the events that were looked at.
	Scanned int64
	Counts
	// Digest is the sum, modulo 2^256, of the SHA-256 of the id of all that was erased.
	Digest []byte
}

// State tells how far it is.
func (e *Erasure) State() State {
	switch {
	case !e.FinishedAt.IsZero():
		return Finished
	case e.StartedAt.IsZero():
		return Waiting
	}

	return Running
}

// renderedRequest is what was asked, as the API shows it.
type renderedRequest struct {
	SessionIDs []uuid.UUID       `json:"session_ids"`
	Paths      []string          `json:"data_paths"`
	Data       map[string]string `json:"data,omitempty"`
	DataSHA256 *string           `json:"data_sha256"`
}

// receipt is what an auditor keeps.
type receipt struct {
	ErasedUntil string `json:"erased_until"`
	SHA256      string `json:"ids_sha256_sum"`
}

// MarshalJSON renders an erasure as the API shows it.
func (e *Erasure) MarshalJSON() ([]byte, error) {
	what := renderedRequest{SessionIDs: e.SessionIDs, Paths: e.Paths}
	if what.SessionIDs == nil {
		what.SessionIDs = []uuid.UUID{}
	}

	if what.Paths == nil {
		what.Paths = []string{}
	}

	for _, v := range e.Values {
		if what.Data == nil {
			what.Data = map[string]string{}
		}

		what.Data[v.Path] = v.Text
	}

	if e.FilterDigest != nil {
		what.DataSHA256 = new(hex.EncodeToString(e.FilterDigest))
	}

	var kept *receipt
	if e.State() == Finished {
		kept = &receipt{*formatOptionalTime(e.ErasedUntil), hex.EncodeToString(e.Digest)}
	}

	text, err := json.Marshal(struct {
		ID          uuid.UUID       `json:"erasure_id"`
		State       State           `json:"state"`
		Asked       renderedRequest `json:"asked"`
		RequestedBy string          `json:"requested_by"`
		Application *string         `json:"application"`
		RequestID   *string         `json:"request_id"`
		RequestedAt *string         `json:"requested_at"`
		StartedAt   *string         `json:"started_at"`
		FinishedAt  *string         `json:"finished_at"`
		Step        Step            `json:"step"`
		Scanned     int64           `json:"scanned"`
		Counts
		Receipt *receipt `json:"receipt"`
	}{
		e.ID, e.State(), what, e.Actor.Name, nilIfEmpty(e.Actor.Application), nilIfEmpty(e.Actor.RequestID),
		formatOptionalTime(e.RequestedAt), formatOptionalTime(e.StartedAt), formatOptionalTime(e.FinishedAt), e.Step, e.Scanned, e.Counts, kept,
	})
	if err != nil {
		return nil, fmt.Errorf("render an erasure: %w", err)
	}

	return text, nil
}

func nilIfEmpty(text string) *string {
	if text == "" {
		return nil
	}

	return &text
}

func formatOptionalTime(at time.Time) *string {
	if at.IsZero() {
		return nil
	}

	return new(at.UTC().Format("2006-01-02T15:04:05.000000Z07:00"))
}

// AuditDetail is what the audit log says of an erasure that begins.
func (a *Request) AuditDetail() map[string]any {
	paths := map[string]bool{}
	for _, v := range a.Values {
		paths[v.Path] = true
	}

	return map[string]any{"sessions": len(a.SessionIDs), "data_paths": slices.Sorted(maps.Keys(paths))}
}
