package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fair"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

// postEvents is POST /v1/events: the answer is the verdict, after the commit.
func (a *api) postEvents(c *gin.Context) {
	a.handleIngest(c, a.Collector.Submit, true)
}

// postValidate is POST /v1/validate: the same verdicts, and nothing is stored.
func (a *api) postValidate(c *gin.Context) {
	c.Request = c.Request.WithContext(fair.WithCaller(c.Request.Context(), callerOf(c).KeyID))
	a.handleIngest(c, a.Collector.DryRun, false)
}

// handleIngest reads a request with events, has it judged, and answers with the verdicts.
func (a *api) handleIngest(c *gin.Context, judge func(context.Context, *ingest.Request) ([]ingest.Verdict, error), store bool) {
	x := requestStateOf(c)
	application := x.caller.Application
	request := &ingest.Request{
		ID: x.id, Application: application.ID, ApplicationName: application.Name, TraceID: uuid.UUID(x.traceID), Span: x.span,
	}
	body, single, err := a.readEvents(c, request)
	ctx := c.Request.Context()
	if err != nil {
		f, ok := fault.As(err)
		if busy := ok && f.Kind == fault.Unavailable; busy || !store { // what is to come again is no refusal
			a.sendProblem(c, err)
			return
		}
		a.rejectBody(ctx, c, request, body, err)
		return
	}
	if store {
		if wait, ok := a.Limiter.Allow(application, len(request.Envelopes)); !ok {
			a.Metrics.recordRateLimited(ctx, application.Name)
			a.failRateLimited(c, application, wait)
			return
		}
	}
	verdicts, err := judge(ctx, request)
	switch {
	case err != nil:
		a.sendProblem(c, err)
	case single && store:
		a.answerSingle(c, &verdicts[0])
	case single:
		sendBody(c, http.StatusOK, "application/json", appendVerdict(nil, &verdicts[0], store))
	default:
		a.answerBatch(c, verdicts, store)
	}
}

// failRateLimited sends an application away that is over its limit. The fields are
// those of draft-ietf-httpapi-ratelimit-headers-10; what is counted are events.
func (a *api) failRateLimited(c *gin.Context, application *access.Application, wait time.Duration) {
	wait = max(wait, time.Second)
	c.Header("RateLimit-Policy", fmt.Sprintf(`"events";q=%d;w=1`, *application.RateLimit))
	c.Header("RateLimit", fmt.Sprintf(`"events";r=%d;t=%d`, a.Limiter.RemainingEvents(application), wholeSeconds(wait)))
	a.sendProblem(c, &fault.Error{
		Kind: fault.Throttled, Code: fault.CodeRateLimited, RetryAfter: wait,
		Detail: "the application sends more events a second than its rate limit allows; send the request again later",
	})
}

// readAtomic reads the one query parameter of an ingest request.
func (a *api) readAtomic(c *gin.Context) (bool, error) {
	if c.Request.URL.RawQuery == "" {
		return false, nil
	}
	p := readParameters(c)
	atomic := p.readBoolean("atomic")
	return atomic, p.toFault()
}

// readEvents reads the body and takes it apart into envelopes. With a fault it returns
// what was read of the body.
func (a *api) readEvents(c *gin.Context, request *ingest.Request) (body []byte, single bool, err error) {
	atomic, atomicErr := a.readAtomic(c)
	media, mediaErr := mediaTypeOf(c.GetHeader("Content-Type"))
	body, readErr := a.bodies.readBody(c)
	request.Atomic, request.ReceivedAt = atomic, a.Now().UTC().Truncate(time.Microsecond)
	if err = errors.Join(atomicErr, mediaErr, readErr); err != nil {
		if f, ok := fault.As(err); ok { // of several, the first
			return body, false, f
		}
		return body, false, err
	}

	takeApart := func() {
		if media == ndjsonBody {
			request.Envelopes, err = event.ParseNDJSON(body, a.Rules, request.ReceivedAt)
		} else {
			request.Envelopes, single, err = event.ParseJSON(body, a.Rules, request.ReceivedAt)
		}
	}
	if len(body) < largeWork {
		takeApart()
		return body, single, err
	}

	if waited := a.withProcessor(c, takeApart); waited != nil {
		return body, single, waited
	}
	return body, single, err
}

// rejectBody keeps a body that could not be taken apart into events among the
// errors, and answers with what is wrong with it.
func (a *api) rejectBody(ctx context.Context, c *gin.Context, request *ingest.Request, body []byte, cause error) {
	f := a.faultOf(c, cause)
	// The server ends a request's context when its body is late or ends too early, and the
	// client may still wait for an answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Budget)
	defer cancel()
	violations := f.Violations
	if len(violations) == 0 {
		violations = []fault.Violation{{Code: f.Code, Detail: f.Detail}}
	}
	request.Atomic = false
	unparted := f.Code == fault.CodeInvalidJSON || f.Code == fault.CodeTrailingText
	request.Envelopes = []event.Envelope{{Raw: body, IsWholeBody: unparted, Violations: violations}}
	verdicts, err := a.Collector.Submit(ctx, request)
	if err != nil {
		a.sendProblem(c, err)
		return
	}
	a.sendProblemWith(c, f, verdictProblemOf(&verdicts[0]), nil)
}

// verdictProblemOf renders what a problem says about a refused event.
func verdictProblemOf(v *ingest.Verdict) (p verdictProblem) {
	p.EventTypeVersion = v.TypeVersion
	if !isNil(v.EventID) {
		p.EventID = v.EventID.String()
	}
	if isNil(v.ErrorID) {
		kept := false
		p.Kept = &kept
	} else {
		p.ErrorID = v.ErrorID.String()
	}
	return p
}

// answerSingle answers a request with a single event.
func (a *api) answerSingle(c *gin.Context, v *ingest.Verdict) {
	switch v.Status {
	case ingest.Stored:
		sendStored(c, http.StatusCreated, v)
	case ingest.Duplicate:
		sendStored(c, http.StatusOK, v)
	default:
		f := &fault.Error{Kind: fault.Invalid, Code: fault.CodeInvalidEvent, Detail: v.Violations[0].Detail, Violations: v.Violations}
		if v.Status == ingest.Conflict {
			f.Kind, f.Code = fault.Conflict, fault.CodeEventIDConflict
		}
		a.sendProblemWith(c, f, verdictProblemOf(v), nil)
	}
}

// sendStored sends a verdict and the place of its event.
func sendStored(c *gin.Context, status int, v *ingest.Verdict) {
	const room = 160
	body := appendVerdict(make([]byte, 0, room), v, true)
	location := appendUUID(append(make([]byte, 0, room), "/v1/events/"...), v.EventID)
	requestStateOf(c).setHeader(c.Writer.Header(), "Location", string(location))
	sendBody(c, status, "application/json", body)
}

// batchAnswer is the answer to a batch.
type batchAnswer struct {
	Stored     int            `json:"stored"`
	Duplicates int            `json:"duplicates"`
	Rejected   int            `json:"rejected"`
	Results    []ingestResult `json:"results"`
}

// ingestResult renders a verdict.
type ingestResult struct {
	verdict *ingest.Verdict
	store   bool
}

// MarshalJSON implements json.Marshaler.
func (r ingestResult) MarshalJSON() ([]byte, error) {
	return appendVerdict(nil, r.verdict, r.store), nil
}

// answerBatch answers a request with several events. Conflicts count as rejected.
func (a *api) answerBatch(c *gin.Context, verdicts []ingest.Verdict, store bool) {
	var stored, duplicates, rejected int
	for i := range verdicts {
		switch verdicts[i].Status {
		case ingest.Stored, ingest.Valid:
			stored++
		case ingest.Duplicate:
			duplicates++
		case ingest.Conflict, ingest.Rejected:
			rejected++
		case ingest.NotStored:
		}
	}
	status := http.StatusCreated
	switch {
	case !store:
		status = http.StatusOK
	case stored+duplicates == 0:
		answer := &batchAnswer{Stored: stored, Duplicates: duplicates, Rejected: rejected}
		for i := range verdicts {
			answer.Results = append(answer.Results, ingestResult{&verdicts[i], store})
		}
		a.sendProblemWith(c, fault.New(fault.Invalid, fault.CodeBatchRejected, "no event of the batch was stored; the results say why"), verdictProblem{}, answer)
		return
	case stored+duplicates < len(verdicts):
		status = http.StatusMultiStatus
	}
	body := make([]byte, 0, 64+110*len(verdicts))
	name := `{"stored":`
	if !store {
		name = `{"valid":`
	}
	body = strconv.AppendInt(append(body, name...), int64(stored), 10)
	body = strconv.AppendInt(append(body, `,"duplicates":`...), int64(duplicates), 10)
	body = strconv.AppendInt(append(body, `,"rejected":`...), int64(rejected), 10)
	body = append(body, `,"results":[`...)
	for i := range verdicts {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendVerdict(body, &verdicts[i], store)
	}
	sendBody(c, status, "application/json", append(body, "]}\n"...))
}
