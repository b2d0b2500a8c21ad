package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
func (a *api) postEvents(c *gin.Context) { a.handleIngest(c, false) }

// postValidate is POST /v1/validate: the same verdicts, and nothing is stored.
func (a *api) postValidate(c *gin.Context) {
	c.Request = c.Request.WithContext(fair.WithCaller(c.Request.Context(), callerOf(c).KeyID))
	a.handleIngest(c, true)
}

// handleIngest reads the events of a request, hands them to the group commit, and answers with
// the verdicts.
func (a *api) handleIngest(c *gin.Context, dryRun bool) {
	request := newIngestRequest(requestStateOf(c))
	body, single, err := a.readEvents(c, request)
	if err != nil {
		a.answerUnreadable(c, request, body, err, dryRun)
		return
	}

	submit := a.Collector.DryRun
	if !dryRun {
		submit = a.Collector.Submit

		application := callerOf(c).Application
		if wait, ok := a.Limiter.Allow(application, len(request.Envelopes)); !ok {
			a.answerRateLimited(c, application, wait)
			return
		}
	}

	verdicts, err := submit(c.Request.Context(), request)
	switch {
	case err != nil:
		a.sendProblem(c, err)
	case !single:
		a.answerBatch(c, verdicts, dryRun)
	case dryRun:
		sendBody(c, http.StatusOK, jsonType, appendVerdict(nil, &verdicts[0], dryRun))
	default:
		a.answerSingle(c, &verdicts[0])
	}
}

func newIngestRequest(x *requestState) *ingest.Request {
	return &ingest.Request{
		ID:              x.id,
		Application:     x.caller.Application.ID,
		ApplicationName: x.caller.Application.Name,
		TraceID:         uuid.UUID(x.traceID),
		Span:            x.span,
	}
}

// readEvents reads the body and divides it into envelopes. With a fault it returns the part of
// the body that was read.
func (a *api) readEvents(c *gin.Context, request *ingest.Request) (body []byte, single bool, err error) {
	atomic, atomicErr := a.readAtomic(c)
	media, mediaErr := mediaTypeOf(c.GetHeader("Content-Type"))
	body, readErr := a.bodies.readBody(c)
	request.Atomic = atomic
	request.ReceivedAt = a.Now().UTC().Truncate(time.Microsecond)
	if err = errors.Join(atomicErr, mediaErr, readErr); err != nil {
		if f, ok := fault.As(err); ok { // the first of several
			return body, false, f
		}

		return body, false, err
	}

	if len(body) >= largeWork {
		release, err := a.acquireProcessor(c)
		if err != nil {
			return body, false, err
		}
		defer release()
	}

	if media == ndjsonBody {
		request.Envelopes, err = event.ParseNDJSON(body, a.Rules, request.ReceivedAt)
	} else {
		request.Envelopes, single, err = event.ParseJSON(body, a.Rules, request.ReceivedAt)
	}

	return body, single, err
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

// answerUnreadable answers a request that could not be divided into events. It is recorded as a
// rejection, unless the client is asked to send it again.
func (a *api) answerUnreadable(c *gin.Context, request *ingest.Request, body []byte, cause error, dryRun bool) {
	if f, ok := fault.As(cause); dryRun || ok && f.Kind == fault.Unavailable {
		a.sendProblem(c, cause)
		return
	}

	f := a.faultOf(c, cause)
	violations := f.Violations
	if len(violations) == 0 {
		violations = []fault.Violation{{Code: f.Code, Detail: f.Detail}}
	}

	isWholeBody := f.Code == fault.CodeInvalidJSON || f.Code == fault.CodeTrailingText
	request.Atomic = false
	request.Envelopes = []event.Envelope{{Raw: body, IsWholeBody: isWholeBody, Violations: violations}}

	// The server ends a request's context when its body is late or ends too early, and the
	// client may still wait for an answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), a.Budget)
	defer cancel()

	verdicts, err := a.Collector.Submit(ctx, request)
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	a.sendProblemWith(c, f, verdictProblemOf(&verdicts[0]), nil)
}

// answerRateLimited rejects a request of an application that is over its limit. The fields are
// those of draft-ietf-httpapi-ratelimit-headers-10; they count events.
func (a *api) answerRateLimited(c *gin.Context, application *access.Application, wait time.Duration) {
	a.Metrics.recordRateLimited(c.Request.Context(), application.Name)

	wait = max(wait, time.Second)
	c.Header("RateLimit-Policy", fmt.Sprintf(`"events";q=%d;w=1`, *application.RateLimit))
	c.Header("RateLimit", fmt.Sprintf(`"events";r=%d;t=%d`, a.Limiter.RemainingEvents(application), wholeSeconds(wait)))
	a.sendProblem(c, &fault.Error{
		Kind:       fault.Throttled,
		Code:       fault.CodeRateLimited,
		RetryAfter: wait,
		Detail:     "the application sends more events a second than its rate limit allows; send the request again later",
	})
}
