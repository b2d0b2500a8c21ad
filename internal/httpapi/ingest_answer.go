package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

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
			f.Kind = fault.Conflict
			f.Code = fault.CodeEventIDConflict
		}

		a.sendProblemWith(c, f, verdictProblemOf(v), nil)
	}
}

// sendStored sends a verdict and the location of its event.
func sendStored(c *gin.Context, status int, v *ingest.Verdict) {
	const room = 160
	body := appendVerdict(make([]byte, 0, room), v, false)
	location := appendUUID(append(make([]byte, 0, room), "/v1/events/"...), v.EventID)
	requestStateOf(c).setHeader(c.Writer.Header(), "Location", string(location))
	sendBody(c, status, jsonType, body)
}

// answerBatch answers a request with several events. Conflicts count as rejected.
func (a *api) answerBatch(c *gin.Context, verdicts []ingest.Verdict, dryRun bool) {
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
	first := `{"stored":`
	switch {
	case dryRun:
		status = http.StatusOK
		first = `{"valid":`
	case stored+duplicates == 0:
		a.sendProblemWith(c, fault.New(fault.Invalid, fault.CodeBatchRejected, "no event of the batch was stored; the results say why"),
			verdictProblem{}, newBatchProblem(verdicts, rejected))
		return
	case stored+duplicates < len(verdicts):
		status = http.StatusMultiStatus
	}

	body := make([]byte, 0, 64+110*len(verdicts))
	body = strconv.AppendInt(append(body, first...), int64(stored), 10)
	body = strconv.AppendInt(append(body, `,"duplicates":`...), int64(duplicates), 10)
	body = strconv.AppendInt(append(body, `,"rejected":`...), int64(rejected), 10)
	body = append(body, `,"results":[`...)
	for i := range verdicts {
		if i > 0 {
			body = append(body, ',')
		}

		body = appendVerdict(body, &verdicts[i], dryRun)
	}

	sendBody(c, status, jsonType, append(body, "]}\n"...))
}

// batchProblem holds the members of a problem about a batch of which nothing was stored.
type batchProblem struct {
	Stored     int               `json:"stored"`
	Duplicates int               `json:"duplicates"`
	Rejected   int               `json:"rejected"`
	Results    []json.RawMessage `json:"results"`
}

func newBatchProblem(verdicts []ingest.Verdict, rejected int) *batchProblem {
	p := &batchProblem{Rejected: rejected}
	for i := range verdicts {
		p.Results = append(p.Results, appendVerdict(nil, &verdicts[i], false))
	}

	return p
}

// verdictProblem holds the members of a problem about a single rejected event.
type verdictProblem struct {
	EventID string `json:"event_id,omitempty"`
	ErrorID string `json:"error_id,omitempty"`
	// Kept is false when the rejection was only counted, because the application
	// had too many of them in this hour.
	Kept *bool `json:"kept,omitempty"`
	// EventTypeVersion is the version of the event type that validated it.
	EventTypeVersion int32 `json:"event_type_version,omitempty"`
}

func verdictProblemOf(v *ingest.Verdict) (p verdictProblem) {
	p.EventTypeVersion = v.TypeVersion
	if !isNil(v.EventID) {
		p.EventID = v.EventID.String()
	}

	if isNil(v.ErrorID) {
		p.Kept = new(bool)
	} else {
		p.ErrorID = v.ErrorID.String()
	}

	return p
}

// appendVerdict renders a verdict. A dry run records no rejections.
func appendVerdict(b []byte, v *ingest.Verdict, dryRun bool) []byte {
	b = append(b, '{')
	if !isNil(v.EventID) {
		b = append(b, `"event_id":`...)
		b = append(appendID(b, v.EventID), ',')
	}

	b = append(b, `"status":"`...)
	b = append(append(b, v.Status...), '"')
	if v.Sequence > 0 {
		b = strconv.AppendInt(append(b, `,"sequence":`...), v.Sequence, 10)
	}

	if v.TypeVersion > 0 {
		b = strconv.AppendInt(append(b, `,"event_type_version":`...), int64(v.TypeVersion), 10)
	}

	if v.IsRejected() {
		violations, _ := json.Marshal(v.Violations) // strings cannot fail
		b = append(append(b, `,"errors":`...), violations...)
		switch {
		case !isNil(v.ErrorID):
			b = appendID(append(b, `,"error_id":`...), v.ErrorID)
		case !dryRun:
			b = append(b, `,"kept":false`...)
		}
	}

	return append(b, '}')
}
