package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

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

// postCollect is POST /v1/collect: postEvents for public keys.
func (a *api) postCollect(c *gin.Context) { a.handleIngest(c, false) }

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

		if limited := a.checkRate(c, len(request.Envelopes)); limited != nil {
			a.sendProblem(c, limited)
			return
		}
	}

	verdicts, err := submit(c.Request.Context(), request)
	hideConflicts(callerOf(c), verdicts)
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
		RegisteredOnly:  x.caller.RegisteredOnly,
	}
}

// readEvents reads the body and divides it into envelopes. With a fault it returns the part of
// the body that was read.
func (a *api) readEvents(c *gin.Context, request *ingest.Request) (body []byte, single bool, err error) {
	atomic, atomicErr := a.readAtomic(c)
	media, mediaErr := readMediaType(c)
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

	request.Envelopes, single, err = parseEvents(body, media, a.Rules, request.ReceivedAt)
	return body, single, err
}

func parseEvents(body []byte, media mediaType, rules *event.Rules, now time.Time) (envelopes []event.Envelope, single bool, err error) {
	switch media {
	case textBody:
		return event.ParseText(body, rules, now)
	case ndjsonBody:
		envelopes, err = event.ParseNDJSON(body, rules, now)
		return envelopes, false, err
	case jsonBody:
	}

	return event.ParseJSON(body, rules, now)
}

// readAtomic reads the query parameters of an ingest request.
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

	if limited := a.checkPublicRate(c, 1); limited != nil { // recording it costs as much as an event
		a.sendProblem(c, limited)
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

// rateLimit is what a client learns of a rate limit: how many events may come in a window, and
// how many are left.
type rateLimit struct {
	quota     int
	window    time.Duration
	remaining int
}

// checkRate counts events against the limits of the key and of the application.
func (a *api) checkRate(c *gin.Context, events int) error {
	if limited := a.checkPublicRate(c, events); limited != nil {
		return limited
	}

	application := callerOf(c).Application
	wait, ok := a.Limiter.Allow(application, events)
	if ok {
		return nil
	}

	return a.rateLimitFault(c, rateLimit{*application.RateLimit, time.Second, a.Limiter.RemainingEvents(application)}, wait,
		"the application sends more events a second than its rate limit allows; send the request again later")
}

// rateLimitFault makes the fault of a request that is over a limit, and sets the headers that
// describe the limit. They are those of draft-ietf-httpapi-ratelimit-headers-10; they count
// events.
func (a *api) rateLimitFault(c *gin.Context, limit rateLimit, wait time.Duration, detail string) error {
	a.Metrics.recordRateLimited(c.Request.Context(), callerOf(c).Application.Name)

	wait = max(wait, time.Second)
	c.Header("RateLimit-Policy", fmt.Sprintf(`"events";q=%d;w=%d`, limit.quota, wholeSeconds(limit.window)))
	c.Header("RateLimit", fmt.Sprintf(`"events";r=%d;t=%d`, limit.remaining, wholeSeconds(wait)))
	return &fault.Error{Kind: fault.Throttled, Code: fault.CodeRateLimited, RetryAfter: wait, Detail: detail}
}
