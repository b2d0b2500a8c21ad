package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

// rejectionAnswer renders a rejection, which the contract calls an error.
type rejectionAnswer struct {
	ID          uuid.UUID         `json:"error_id"`
	ReceivedAt  jsonTime          `json:"received_at"`
	Application string            `json:"application"`
	RequestID   string            `json:"request_id"`
	TraceID     *string           `json:"trace_id"`
	Code        string            `json:"code"`
	Violations  []fault.Violation `json:"errors"`
	EventID     *uuid.UUID        `json:"event_id"`
	SessionID   *uuid.UUID        `json:"session_id"`
	Category    *string           `json:"category"`
	Name        *string           `json:"name"`
	Timestamp   *jsonTime         `json:"timestamp"`
	// Raw is null when it is withheld. RawBase64 is set when the text is not UTF-8; Raw then
	// shows it with replacement characters.
	Raw              *string `json:"raw"`
	RawBase64        string  `json:"raw_base64,omitempty"`
	RawSize          int     `json:"raw_size"`
	RawTruncated     bool    `json:"raw_truncated"`
	RawWithheld      bool    `json:"raw_withheld"`
	Status           string  `json:"status"`
	EventTypeVersion *int    `json:"event_type_version"`
	// The outcome of the last replay, if there was one.
	ReplayedAt     *jsonTime         `json:"replayed_at,omitempty"`
	Outcome        *string           `json:"outcome,omitempty"`
	OutcomeEventID *uuid.UUID        `json:"outcome_event_id,omitempty"`
	OutcomeErrors  []fault.Violation `json:"outcome_errors,omitempty"`
}

// RejectionJSON renders a rejection as GET /v1/errors/{id} does, for commands.
func RejectionJSON(r *query.Rejection) ([]byte, error) {
	text, err := json.Marshal(renderRejection(r))
	if err != nil {
		return nil, fmt.Errorf("render a rejection: %w", err)
	}

	return text, nil
}

func renderRejection(r *query.Rejection) rejectionAnswer {
	answer := rejectionAnswer{
		ID:               r.ID,
		ReceivedAt:       jsonTime(r.ReceivedAt),
		Application:      r.Application,
		RequestID:        r.RequestID,
		Code:             r.Code,
		Violations:       r.Violations,
		EventID:          r.EventID,
		SessionID:        r.SessionID,
		Category:         r.Category,
		Name:             r.Name,
		Timestamp:        (*jsonTime)(r.Timestamp),
		RawSize:          r.RawSize,
		RawTruncated:     r.Raw != nil && len(r.Raw) < r.RawSize,
		RawWithheld:      r.Raw == nil,
		Status:           r.Status,
		EventTypeVersion: r.EventTypeVersion,
		ReplayedAt:       (*jsonTime)(r.ReplayedAt),
		Outcome:          r.Outcome,
		OutcomeEventID:   r.OutcomeEventID,
		OutcomeErrors:    r.OutcomeErrors,
	}
	if r.TraceID.Valid {
		id := hex.EncodeToString(r.TraceID.UUID[:])
		answer.TraceID = &id
	}

	if r.Raw != nil {
		text := string(r.Raw)
		answer.Raw = &text // json.Marshal inserts replacement characters
		if !utf8.Valid(r.Raw) {
			answer.RawBase64 = base64.StdEncoding.EncodeToString(r.Raw)
		}
	}

	return answer
}

// listErrors is GET /v1/errors.
func (a *api) listErrors(c *gin.Context) {
	p := readParameters(c)
	wanted := p.readRejectionFilter(c)
	if requestStateOf(c).format == formatCSV {
		streamTable(a, c, p, wanted, rejectionTable(), a.Finder.RejectionPage)
		return
	}

	var notKept int64
	page, ok := readPage(a, c, p, wanted,
		func(ctx context.Context, filter query.RejectionFilter, cursor string, limit int) (page query.Page[query.Rejection], err error) {
			if page, err = a.Finder.RejectionPage(ctx, filter, cursor, limit); err == nil {
				notKept, err = a.Finder.CountNotKept(ctx, filter)
			}

			return page, err
		})
	if !ok {
		return
	}

	list := make([]rejectionAnswer, len(page.Items))
	for i := range page.Items {
		list[i] = renderRejection(&page.Items[i])
	}

	rendered, err := json.Marshal(struct {
		NotKept int64             `json:"not_kept"`
		Errors  []rejectionAnswer `json:"errors"`
	}{notKept, list})
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	a.sendPage(c, rendered[:len(rendered)-1], page.Next)
}

// getError is GET /v1/errors/{id}.
func (a *api) getError(c *gin.Context) {
	id, ok := a.readPathID(c)
	if !ok {
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	found, err := a.Finder.Rejection(ctx, id)
	caller := callerOf(c)
	if err = hideInvisible(err, caller.ReadsAll() || found.Application == caller.Application.Name); err != nil {
		a.sendProblem(c, err)
		return
	}

	a.sendJSON(c, http.StatusOK, renderRejection(&found))
}
