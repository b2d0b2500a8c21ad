package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
	"github.com/the-eye-events/the-eye/internal/event"
)

// keys are what a courier is let in with.
type keys struct {
	// ingest are those of the applications.
	ingest [applications]string
	// read reads what all of them sent, and admin changes it.
	read, admin string
}

// sender takes events to one of the services, and to the next if that fails.
type sender struct {
	oracle  *oracle
	targets []string
	keys    keys
	now     func() time.Time
	next    atomic.Uint64
	client  *http.Client
}

func newSender(b *oracle, targets []string, k keys, now func() time.Time) *sender {
	// An answer comes within the budget of 5 s, or not at all.
	const dial, patience, idle = time.Second, 7 * time.Second, 512
	return &sender{oracle: b, targets: targets, keys: k, now: now, client: &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			DialContext:     (&net.Dialer{Timeout: dial}).DialContext,
			MaxIdleConns:    idle,
			IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: idle, DisableCompression: true,
		},
	}}
}

func (c *sender) nextTarget() string { return c.targets[c.next.Add(1)%uint64(len(c.targets))] }

// sendUntilVerdict sends events of one application until there is a verdict, so many times, each
// time to the next service. It tells whether there was one.
func (c *sender) sendUntilVerdict(ctx context.Context, indexes []uint64, tries int) bool {
	const pause = 100 * time.Millisecond
	for try := range tries {
		if try > 0 {
			select {
			case <-time.After(pause << (try - 1)):
			case <-ctx.Done():
			}
		}

		if ctx.Err() != nil {
			break
		}

		if c.sendOnce(ctx, c.nextTarget(), indexes) {
			return true
		}
	}

	return false
}

// sendOnce sends events once.
func (c *sender) sendOnce(ctx context.Context, target string, indexes []uint64) (answered bool) {
	defer func() {
		if !answered {
			c.oracle.recordUnanswered(indexes)
		}
	}()

	began := c.now()
	status, body, err := c.postEvents(ctx, target, indexes[0], c.renderBody(indexes))
	if err != nil {
		c.countAnswer("no answer")
		return false
	}

	c.countAnswer(strconv.Itoa(status))
	switch status {
	case http.StatusServiceUnavailable:
		return false
	case http.StatusOK, http.StatusCreated, http.StatusMultiStatus, http.StatusBadRequest, http.StatusConflict:
	default:
		c.oracle.recordViolation("an answer that nobody should get: %d: %.300s", status, body)
		return false
	}

	return c.recordVerdicts(target, indexes, status, body, began)
}

func (c *sender) countAnswer(name string) {
	c.oracle.updateTally(func(t *tally) { t.answers[name]++ })
}

// postEvents sends a body for the application of an event.
func (c *sender) postEvents(ctx context.Context, target string, index uint64, body []byte) (status int, answer []byte, err error) {
	return c.doRequest(ctx, http.MethodPost, target+"/v1/events", c.keys.ingest[applicationOf(index)], body)
}

// doRequest sends a request. An error means that there is no answer.
func (c *sender) doRequest(ctx context.Context, method, url, key string, body []byte) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err //nolint:wrapcheck // it is only counted
	}

	request.Header.Set("Authorization", "Bearer "+key)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}

	response, err := c.client.Do(request)
	if err != nil {
		return 0, nil, err //nolint:wrapcheck // it is only counted
	}
	defer response.Body.Close() //nolint:errcheck // it was read

	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err //nolint:wrapcheck // it is only counted
}

// verdict is what an answer says of an event.
type verdict struct {
	EventID  uuid.UUID `json:"event_id"`
	Status   string    `json:"status"`
	Sequence int64     `json:"sequence"`
	violations
}

// violations are what a refused event is refused for.
type violations struct {
	Errors []struct {
		Code string `json:"code"`
	} `json:"errors"`
	// ErrorID is the id under which the refusal is kept.
	ErrorID uuid.UUID `json:"error_id"`
}

// parseViolations reads why a single event was refused. What cannot be read explains nothing.
func parseViolations(problem []byte) (o violations) {
	_ = json.Unmarshal(problem, &o)
	return o
}

func (o *violations) errorCodes() []string {
	codes := make([]string, len(o.Errors))
	for i, e := range o.Errors {
		codes[i] = e.Code
	}

	return codes
}

// recordVerdicts notes what an answer says. It tells whether that could be understood.
func (c *sender) recordVerdicts(target string, indexes []uint64, status int, body []byte, began time.Time) bool {
	results, err := c.parseVerdicts(indexes, status, body)
	if err != nil {
		c.oracle.recordViolation("an answer that cannot be read: %d: %.300s", status, body)
		return false
	}

	if len(results) != len(indexes) {
		c.oracle.recordViolation("an answer with %d verdicts on %d events: %d: %.300s", len(results), len(indexes), status, body)
		return false
	}

	now := c.now()
	for i, r := range results {
		v := parseVerdict(r.Status)
		if v == reconcile.Unsent || (v.Acknowledged() && r.EventID != c.oracle.source.ID(indexes[i])) {
			c.oracle.recordViolation("%s: told %q for the id %s, which cannot be", c.oracle.source.ID(indexes[i]), r.Status, r.EventID)
			return false
		}

		c.oracle.recordVerdict(answer{
			index: indexes[i], verdict: v, sequence: r.Sequence, codes: r.errorCodes(), target: target, began: began, now: now,
		})
	}

	c.checkOrder(indexes, results)
	return true
}

// parseVerdicts takes an answer apart. The status of a problem is a number, and none of an event.
func (c *sender) parseVerdicts(indexes []uint64, status int, body []byte) ([]verdict, error) {
	if len(indexes) > 1 {
		var batch struct {
			Results []verdict `json:"results"`
		}
		err := json.Unmarshal(body, &batch)
		return batch.Results, err //nolint:wrapcheck // the answer is shown instead
	}

	if status == http.StatusBadRequest {
		return []verdict{{Status: reconcile.Rejected.String(), EventID: c.oracle.source.ID(indexes[0]), violations: parseViolations(body)}}, nil
	}

	var one verdict
	err := json.Unmarshal(body, &one)
	return []verdict{one}, err //nolint:wrapcheck // as above
}

func parseVerdict(status string) reconcile.Verdict {
	for _, v := range []reconcile.Verdict{reconcile.Stored, reconcile.Duplicate, reconcile.Conflict, reconcile.Rejected} {
		if v.String() == status {
			return v
		}
	}

	return reconcile.Unsent
}

// renderBody writes events as one request sends them.
func (c *sender) renderBody(indexes []uint64) []byte {
	var text []byte
	if len(indexes) > 1 {
		text = append(text, '[')
	}

	for i, index := range indexes {
		if i > 0 {
			text = append(text, ',')
		}

		e := c.buildEvent(index)
		text = traffic.AppendEvent(text, &e)
	}

	if len(indexes) > 1 {
		text = append(text, ']')
	}

	return text
}

func (c *sender) buildEvent(index uint64) event.Event {
	_, _, at := c.oracle.lookUpEvent(index)
	e := c.oracle.source.MakeEvent(index, at, nil)
	if isUnstorable(index) {
		e.Data = unstorableData(index)
	}

	return e
}

// sendConflicting sends an event that is stored under its id, with another content in one of
// several ways. The one verdict that it may get is a conflict, which is kept.
func (c *sender) sendConflicting(ctx context.Context, index uint64, way int) {
	if v, _, _ := c.oracle.lookUpEvent(index); !v.Acknowledged() {
		return
	}

	c.oracle.updateTally(func(t *tally) { t.conflicts++ })
	e := c.buildEvent(index)
	ways := conflictVariants()
	ways[way%len(ways)](&e)
	target, began := c.nextTarget(), c.now()
	status, body, err := c.postEvents(ctx, target, index, traffic.AppendEvent(nil, &e))
	if err != nil || status == http.StatusServiceUnavailable {
		return // nobody knows, and nothing is owed
	}

	o := parseViolations(body)
	switch {
	case status == http.StatusBadRequest && c.oracle.clockExplains(target, o.errorCodes(), began, c.now()):
	case status == http.StatusBadRequest && c.oracle.mayBeErased(index):
	case status != http.StatusConflict:
		c.oracle.recordViolation("%s: sent with another content and told %d: %.300s", e.ID, status, body)
	case o.ErrorID == uuid.Nil:
		c.oracle.recordViolation("%s: sent with another content, and the conflict is not kept: %.300s", e.ID, body)
	default:
		c.oracle.journal.RecordConflict(o.ErrorID, index)
	}
}
