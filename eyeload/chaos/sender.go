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

// keys are the keys of a sender.
type keys struct {
	// ingest are the keys of the applications.
	ingest [applications]string
	// read reads the events of all applications, and admin changes them.
	read, admin string
}

// sender sends events to one of the services, and to the next one if that fails.
type sender struct {
	oracle  *oracle
	targets []string
	keys    keys
	now     func() time.Time
	next    atomic.Uint64
	client  *http.Client
}

func newSender(b *oracle, targets []string, k keys, now func() time.Time) *sender {
	// An answer arrives within the budget of 5 s, or never.
	const dial, patience, idle = time.Second, 7 * time.Second, 512

	return &sender{
		oracle:  b,
		targets: targets,
		keys:    k,
		now:     now,
		client: &http.Client{
			Timeout: patience,
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: dial}).DialContext,
				MaxIdleConns:        idle,
				IdleConnTimeout:     time.Minute,
				MaxIdleConnsPerHost: idle,
				DisableCompression:  true,
			},
		},
	}
}

func (s *sender) nextTarget() string { return s.targets[s.next.Add(1)%uint64(len(s.targets))] }

// sendUntilVerdict sends events of one application up to so many times until there is a
// verdict, each time to the next service. It reports whether there was one.
func (s *sender) sendUntilVerdict(ctx context.Context, indexes []uint64, tries int) bool {
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

		if s.sendOnce(ctx, s.nextTarget(), indexes) {
			return true
		}
	}

	return false
}

// sendOnce sends events once.
func (s *sender) sendOnce(ctx context.Context, target string, indexes []uint64) (answered bool) {
	defer func() {
		if !answered {
			s.oracle.recordUnanswered(indexes)
		}
	}()

	began := s.now()
	status, body, err := s.postEvents(ctx, target, indexes[0], s.renderBody(indexes))
	if err != nil {
		s.countAnswer("no answer")
		return false
	}

	s.countAnswer(strconv.Itoa(status))
	switch status {
	case http.StatusServiceUnavailable:
		return false
	case http.StatusOK, http.StatusCreated, http.StatusMultiStatus, http.StatusBadRequest, http.StatusConflict:
	default:
		s.oracle.recordViolation("an unexpected answer: %d: %.300s", status, body)
		return false
	}

	return s.recordVerdicts(target, indexes, status, body, began)
}

func (s *sender) countAnswer(name string) {
	s.oracle.updateTally(func(t *tally) { t.answers[name]++ })
}

// postEvents sends a body for the application of an event.
func (s *sender) postEvents(ctx context.Context, target string, index uint64, body []byte) (status int, answer []byte, err error) {
	return s.doRequest(ctx, http.MethodPost, target+"/v1/events", s.keys.ingest[applicationOf(index)], body)
}

// doRequest sends a request. An error means that there is no answer.
func (s *sender) doRequest(ctx context.Context, method, url, key string, body []byte) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err //nolint:wrapcheck // only counted
	}

	request.Header.Set("Authorization", "Bearer "+key)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}

	response, err := s.client.Do(request)
	if err != nil {
		return 0, nil, err //nolint:wrapcheck // only counted
	}
	defer response.Body.Close() //nolint:errcheck // the body was read

	answer, err = io.ReadAll(response.Body)

	return response.StatusCode, answer, err //nolint:wrapcheck // only counted
}

// verdict is the part of an answer on one event.
type verdict struct {
	EventID  uuid.UUID `json:"event_id"`
	Status   string    `json:"status"`
	Sequence int64     `json:"sequence"`
	violations
}

// violations are the reasons for a rejection.
type violations struct {
	Errors []struct {
		Code string `json:"code"`
	} `json:"errors"`
	// ErrorID is the id of the rejection.
	ErrorID uuid.UUID `json:"error_id"`
}

// parseViolations reads why a single event was rejected. An unreadable answer has no reasons.
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

// recordVerdicts records the verdicts of an answer. It reports whether the answer is valid.
func (s *sender) recordVerdicts(target string, indexes []uint64, status int, body []byte, began time.Time) bool {
	results, err := s.parseVerdicts(indexes, status, body)
	if err != nil {
		s.oracle.recordViolation("an answer that cannot be read: %d: %.300s", status, body)
		return false
	}

	if len(results) != len(indexes) {
		s.oracle.recordViolation("an answer with %d verdicts on %d events: %d: %.300s", len(results), len(indexes), status, body)
		return false
	}

	now := s.now()
	for i, r := range results {
		v := parseVerdict(r.Status)
		if v == reconcile.Unsent || (v.Acknowledged() && r.EventID != s.oracle.source.ID(indexes[i])) {
			s.oracle.recordViolation("%s: answered %q for the id %s, which is not possible", s.oracle.source.ID(indexes[i]), r.Status, r.EventID)
			return false
		}

		s.oracle.recordVerdict(answer{
			index:    indexes[i],
			verdict:  v,
			sequence: r.Sequence,
			codes:    r.errorCodes(),
			target:   target,
			began:    began,
			now:      now,
		})
	}

	s.checkOrder(indexes, results)

	return true
}

// parseVerdicts returns the verdicts of an answer. The status of a problem document is a number
// and not the verdict on an event.
func (s *sender) parseVerdicts(indexes []uint64, status int, body []byte) ([]verdict, error) {
	if len(indexes) > 1 {
		var batch struct {
			Results []verdict `json:"results"`
		}

		err := json.Unmarshal(body, &batch)

		return batch.Results, err //nolint:wrapcheck // the answer is reported instead
	}

	if status == http.StatusBadRequest {
		return []verdict{{Status: reconcile.Rejected.String(), EventID: s.oracle.source.ID(indexes[0]), violations: parseViolations(body)}}, nil
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

// renderBody renders events as the body of one request.
func (s *sender) renderBody(indexes []uint64) []byte {
	var text []byte
	if len(indexes) > 1 {
		text = append(text, '[')
	}

	for i, index := range indexes {
		if i > 0 {
			text = append(text, ',')
		}

		e := s.buildEvent(index)
		text = traffic.AppendEvent(text, &e)
	}

	if len(indexes) > 1 {
		text = append(text, ']')
	}

	return text
}

func (s *sender) buildEvent(index uint64) event.Event {
	_, _, at := s.oracle.lookUpEvent(index)
	e := s.oracle.source.MakeEvent(index, at, nil)
	if isUnstorable(index) {
		e.Data = unstorableData(index)
	}

	return e
}

// sendConflicting sends an event with the id of a stored event and other content, in one of
// several variants. The only right verdict is a conflict that is recorded.
func (s *sender) sendConflicting(ctx context.Context, index uint64, variant int) {
	if v, _, _ := s.oracle.lookUpEvent(index); !v.Acknowledged() {
		return
	}

	s.oracle.updateTally(func(t *tally) { t.conflicts++ })
	e := s.buildEvent(index)
	variants := conflictVariants()
	variants[variant%len(variants)](&e)
	target := s.nextTarget()
	began := s.now()
	status, body, err := s.postEvents(ctx, target, index, traffic.AppendEvent(nil, &e))
	if err != nil || status == http.StatusServiceUnavailable {
		return // the result is unknown, and any result is right
	}

	o := parseViolations(body)
	switch {
	case status == http.StatusBadRequest && s.oracle.clockExplains(target, o.errorCodes(), began, s.now()):
	case status == http.StatusBadRequest && s.oracle.mayBeErased(index):
	case status != http.StatusConflict:
		s.oracle.recordViolation("%s: sent with other content and answered %d: %.300s", e.ID, status, body)
	case o.ErrorID == uuid.Nil:
		s.oracle.recordViolation("%s: sent with other content, and the conflict is not recorded: %.300s", e.ID, body)
	default:
		s.oracle.journal.RecordConflict(o.ErrorID, index)
	}
}
