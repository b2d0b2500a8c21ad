package httpapi

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/query"
)

// traceAnswer renders how an event came in: the stages from its receipt to its commit.
type traceAnswer struct {
	EventID     uuid.UUID `json:"event_id"`
	Application string    `json:"application"`
	TraceID     *string   `json:"trace_id"`
	// Stages in their order. A stage whose end is not known has neither time nor duration.
	Stages []stageAnswer `json:"stages"`
	// TotalMS is null unless every stage is known.
	TotalMS *float64 `json:"total_ms"`
}

// stageAnswer is one stage: its end and its duration.
type stageAnswer struct {
	Stage      string    `json:"stage"`
	At         *jsonTime `json:"at"`
	DurationMS *float64  `json:"duration_ms"`
}

// getEventTrace is GET /v1/events/{id}/trace.
func (a *api) getEventTrace(c *gin.Context) {
	id, ok := a.readPathID(c)
	if !ok {
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	found, err := a.Finder.EventTrace(ctx, id)
	caller := callerOf(c)
	if err = hideInvisible(err, caller.ReadsAll() || found.ApplicationID == caller.Application.ID); err != nil {
		a.sendProblem(c, err)
		return
	}

	took, known, err := a.findGroupDuration(ctx, &found)
	a.sendResult(c, http.StatusOK, renderTrace(&found, took, known), err)
}

// findGroupDuration searches for a commit's duration among those that are not stored yet, then
// among those that are: a duration that is stored in between is found by the second search.
func (a *api) findGroupDuration(ctx context.Context, t *query.EventTrace) (took time.Duration, known bool, err error) {
	if !t.TraceID.Valid {
		return 0, false, nil
	}

	if took, known = a.Collector.CommitDuration(ingest.GroupID(t.Group)); known {
		return took, true, nil
	}

	took, err = a.Finder.GroupDuration(ctx, t.Group)
	if f, ok := fault.As(err); ok && f.Kind == fault.NotFound {
		return 0, false, nil
	}

	return took, err == nil, err
}

func renderTrace(t *query.EventTrace, took time.Duration, known bool) traceAnswer {
	answer := traceAnswer{EventID: t.EventID, Application: t.Application}
	answer.addStage("received", t.ReceivedAt, 0)
	if !t.TraceID.Valid {
		answer.addUnknownStages("judged", "waited", "committed")
		return answer
	}

	id := hex.EncodeToString(t.TraceID.UUID[:])
	answer.TraceID = &id
	judgedAt := t.ReceivedAt.Add(t.Validated)
	waited := max(0, t.GroupBegan.Sub(judgedAt))
	answer.addStage("judged", judgedAt, t.Validated)
	answer.addStage("waited", judgedAt.Add(waited), waited)
	if !known {
		answer.addUnknownStages("committed")
		return answer
	}

	answer.addStage("committed", judgedAt.Add(waited+took), took)
	total := toMilliseconds(t.Validated + waited + took)
	answer.TotalMS = &total
	return answer
}

func (t *traceAnswer) addStage(stage string, at time.Time, took time.Duration) {
	duration := toMilliseconds(took)
	t.Stages = append(t.Stages, stageAnswer{Stage: stage, At: (*jsonTime)(&at), DurationMS: &duration})
}

func (t *traceAnswer) addUnknownStages(stages ...string) {
	for _, stage := range stages {
		t.Stages = append(t.Stages, stageAnswer{Stage: stage})
	}
}

// toMilliseconds keeps three digits after the point: microseconds.
func toMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
