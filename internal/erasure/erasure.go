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

// Bounds of one request.
const (
	// MaxSessions is how many sessions one erasure may name.
	MaxSessions = 1000
	// MaxValues is how many values of payloads one erasure may name.
	MaxValues = 5
	// maxValueBytes bounds the text of a value.
	maxValueBytes = 4096
)

// Value selects events and rejections with a value at a path of their payload. A value
// is compared as text: strings without quotes, numbers and booleans as JSON writes
// them.
type Value struct {
	// Path is the path as clients write it, such as user.id.
	Path string
	// Steps are the names of members, and indexes of arrays, that lead to the value.
	Steps []string
	Text  string
}

// Request selects the data to erase: whole sessions, and the events and rejections that
// have all of the values.
type Request struct {
	SessionIDs []uuid.UUID
	Values     []Value
	// MustExist asks for a NotFound fault if nothing of the sessions is stored.
	MustExist bool
}

// Validate rejects a request that is empty or too large. Its faults point into the
// document of POST /v1/erasures.
func (a *Request) Validate() error {
	switch {
	case len(a.SessionIDs) == 0 && len(a.Values) == 0:
		return fault.InvalidAt(fault.CodeInvalidRequest, "", "name the data to erase: data with values by path, session_ids, or both")
	case len(a.SessionIDs) > MaxSessions:
		return fault.InvalidAt(fault.CodeInvalidRequest, "/session_ids", fmt.Sprintf("an erasure names at most %d sessions; send several", MaxSessions))
	case len(a.Values) > MaxValues:
		return fault.InvalidAt(fault.CodeInvalidRequest, "/data", fmt.Sprintf("an erasure names at most %d values", MaxValues))
	}

	for _, v := range a.Values {
		if v.Text == "" || len(v.Text) > maxValueBytes {
			return fault.InvalidAt(fault.CodeInvalidRequest, "/data",
				fmt.Sprintf("the value of %q is empty or longer than %d bytes: it would not distinguish one person from others", v.Path, maxValueBytes))
		}
	}

	slices.SortFunc(a.SessionIDs, func(x, y uuid.UUID) int { return slices.Compare(x[:], y[:]) })
	a.SessionIDs = slices.Compact(a.SessionIDs)
	return nil
}

// RenderFilter renders the values as a JSON object, in the order of their paths. It is
// "{}" if there are none.
func (a *Request) RenderFilter() []byte {
	values := make(map[string]string, len(a.Values))
	for _, v := range a.Values {
		values[v.Path] = v.Text
	}

	text, _ := json.Marshal(values) // strings never fail to marshal
	return text
}

// Digest identifies equal requests while the erasure is not finished.
func (a *Request) Digest() [sha256.Size]byte {
	text := a.RenderFilter()
	for _, id := range a.SessionIDs {
		text = append(text, id[:]...)
	}

	return sha256.Sum256(text)
}

// FilterDigest returns the digest of a filter for a receipt: an auditor who knows the
// values can compute it, but the values cannot be read from it. The id of the erasure
// makes it differ between erasures of the same person.
func FilterDigest(id uuid.UUID, filter []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte(id.String()), filter...))
}

// State is the progress of an erasure.
type State string

// The states.
const (
	Waiting  State = "waiting"
	Running  State = "running"
	Finished State = "finished"
)

// Step is one of the consecutive steps of an erasure.
type Step string

// The steps.
const (
	// Sessions erases the sessions with their events and rejections.
	Sessions Step = "sessions"
	// Errors searches the raw texts of all rejections.
	Errors Step = "errors"
	// Events searches the payloads of all events.
	Events Step = "events"
	// Late searches the events that were stored or changed meanwhile.
	Late Step = "late"
	// LateErrors searches the texts of rejections that were recorded meanwhile.
	LateErrors Step = "late_errors"
)

// Counts holds the numbers of erased things.
type Counts struct {
	// Sessions counts the requested sessions, and the sessions whose events were all
	// erased by value.
	Sessions int64 `json:"sessions"`
	Events   int64 `json:"events"`
	// Rejections counts the rejections that were erased, or whose text was.
	Rejections int64 `json:"errors"`
}

// Erasure is one erasure, and its receipt once it is finished.
type Erasure struct {
	ID         uuid.UUID
	SessionIDs []uuid.UUID
	// Paths are the paths of the values. Values are nil once the erasure is finished.
	Paths  []string
	Values []Value
	// FilterDigest is nil if there are no values.
	FilterDigest []byte
	Actor        audit.Actor
	// StartedAt, FinishedAt and ErasedUntil are zero until they are known. All matching
	// data that was committed before ErasedUntil is erased.
	RequestedAt, StartedAt, FinishedAt, ErasedUntil time.Time
	Step                                            Step
	// Scanned counts the texts of rejections and the events that were searched.
	Scanned int64
	Counts
	// Digest is the sum, modulo 2^256, of the SHA-256 of the ids of everything that was
	// erased.
	Digest []byte
}

// State returns the progress of the erasure.
func (e *Erasure) State() State {
	switch {
	case !e.FinishedAt.IsZero():
		return Finished
	case e.StartedAt.IsZero():
		return Waiting
	}

	return Running
}

// renderedRequest is the request as the API shows it.
type renderedRequest struct {
	SessionIDs []uuid.UUID       `json:"session_ids"`
	Paths      []string          `json:"data_paths"`
	Data       map[string]string `json:"data,omitempty"`
	DataSHA256 *string           `json:"data_sha256"`
}

// receipt is the proof of an erasure for an auditor.
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

// AuditDetail returns the detail of the audit entry for an erasure that begins.
func (a *Request) AuditDetail() map[string]any {
	paths := map[string]bool{}
	for _, v := range a.Values {
		paths[v.Path] = true
	}

	return map[string]any{"sessions": len(a.SessionIDs), "data_paths": slices.Sorted(maps.Keys(paths))}
}
