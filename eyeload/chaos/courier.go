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

// courier takes events to one of the services, and to the next if that fails.
type courier struct {
	book    *book
	targets []string
	keys    keys
	now     func() time.Time
	next    atomic.Uint64
	client  *http.Client
}

func newCourier(b *book, targets []string, k keys, now func() time.Time) *courier {
	// An answer comes within the budget of 5 s, or not at all.
	const dial, patience, idle = time.Second, 7 * time.Second, 512
	return &courier{book: b, targets: targets, keys: k, now: now, client: &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			DialContext:     (&net.Dialer{Timeout: dial}).DialContext,
			MaxIdleConns:    idle,
			IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: idle, DisableCompression: true,
		},
	}}
}

func (c *courier) target() string { return c.targets[c.next.Add(1)%uint64(len(c.targets))] }

// deliver sends events of one application until there is a verdict, so many times, each
// time to the next service. It tells whether there was one.
func (c *courier) deliver(ctx context.Context, indexes []uint64, tries int) bool {
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
		if c.attempt(ctx, c.target(), indexes) {
			return true
		}
	}
	return false
}

// attempt sends events once.
func (c *courier) attempt(ctx context.Context, target string, indexes []uint64) (answered bool) {
	defer func() {
		if !answered {
			c.book.unheard(indexes)
		}
	}()
	began := c.now()
	status, body, err := c.post(ctx, target, indexes[0], c.render(indexes))
	if err != nil {
		c.answer("no answer")
		return false
	}
	c.answer(strconv.Itoa(status))
	switch status {
	case http.StatusServiceUnavailable:
		return false
	case http.StatusOK, http.StatusCreated, http.StatusMultiStatus, http.StatusBadRequest, http.StatusConflict:
	default:
		c.book.wrong("an answer that nobody should get: %d: %.300s", status, body)
		return false
	}
	return c.read(target, indexes, status, body, began)
}

func (c *courier) answer(name string) {
	c.book.count(func(t *tally) { t.answers[name]++ })
}

// post sends a body for the application of an event.
func (c *courier) post(ctx context.Context, target string, index uint64, body []byte) (status int, answer []byte, err error) {
	return c.call(ctx, http.MethodPost, target+"/v1/events", c.keys.ingest[applicationOf(index)], body)
}

// call sends a request. An error means that there is no answer.
func (c *courier) call(ctx context.Context, method, url, key string, body []byte) (status int, answer []byte, err error) {
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
	objections
}

// objections are what a refused event is refused for.
type objections struct {
	Errors []struct {
		Code string `json:"code"`
	} `json:"errors"`
	// ErrorID is the id under which the refusal is kept.
	ErrorID uuid.UUID `json:"error_id"`
}

// objectionsOf reads why a single event was refused. What cannot be read explains nothing.
func objectionsOf(problem []byte) (o objections) {
	_ = json.Unmarshal(problem, &o)
	return o
}

func (o *objections) codes() []string {
	codes := make([]string, len(o.Errors))
	for i, e := range o.Errors {
		codes[i] = e.Code
	}
	return codes
}

// read notes what an answer says. It tells whether that could be understood.
func (c *courier) read(target string, indexes []uint64, status int, body []byte, began time.Time) bool {
	results, err := c.verdicts(indexes, status, body)
	if err != nil {
		c.book.wrong("an answer that cannot be read: %d: %.300s", status, body)
		return false
	}
	if len(results) != len(indexes) {
		c.book.wrong("an answer with %d verdicts on %d events: %d: %.300s", len(results), len(indexes), status, body)
		return false
	}
	now := c.now()
	for i, r := range results {
		v := verdictOf(r.Status)
		if v == reconcile.Unsent || (v.Acknowledged() && r.EventID != c.book.source.ID(indexes[i])) {
			c.book.wrong("%s: told %q for the id %s, which cannot be", c.book.source.ID(indexes[i]), r.Status, r.EventID)
			return false
		}
		c.book.told(answer{
			index: indexes[i], verdict: v, sequence: r.Sequence, codes: r.codes(), target: target, began: began, now: now,
		})
	}
	c.checkOrder(indexes, results)
	return true
}

// verdicts takes an answer apart. The status of a problem is a number, and none of an event.
func (c *courier) verdicts(indexes []uint64, status int, body []byte) ([]verdict, error) {
	if len(indexes) > 1 {
		var batch struct {
			Results []verdict `json:"results"`
		}
		err := json.Unmarshal(body, &batch)
		return batch.Results, err //nolint:wrapcheck // the answer is shown instead
	}
	if status == http.StatusBadRequest {
		return []verdict{{Status: reconcile.Rejected.String(), EventID: c.book.source.ID(indexes[0]), objections: objectionsOf(body)}}, nil
	}
	var one verdict
	err := json.Unmarshal(body, &one)
	return []verdict{one}, err //nolint:wrapcheck // as above
}

func verdictOf(status string) reconcile.Verdict {
	for _, v := range []reconcile.Verdict{reconcile.Stored, reconcile.Duplicate, reconcile.Conflict, reconcile.Rejected} {
		if v.String() == status {
			return v
		}
	}
	return reconcile.Unsent
}

// render writes events as one request sends them.
func (c *courier) render(indexes []uint64) []byte {
	var text []byte
	if len(indexes) > 1 {
		text = append(text, '[')
	}
	for i, index := range indexes {
		if i > 0 {
			text = append(text, ',')
		}
		e := c.event(index)
		text = traffic.Append(text, &e)
	}
	if len(indexes) > 1 {
		text = append(text, ']')
	}
	return text
}

func (c *courier) event(index uint64) event.Event {
	_, _, at := c.book.known(index)
	e := c.book.source.Event(index, at, nil)
	if poisoned(index) {
		e.Data = poison(index)
	}
	return e
}

// contradict sends an event that is stored under its id, with another content in one of
// several ways. The one verdict that it may get is a conflict, which is kept.
func (c *courier) contradict(ctx context.Context, index uint64, way int) {
	if v, _, _ := c.book.known(index); !v.Acknowledged() {
		return
	}
	c.book.count(func(t *tally) { t.conflicts++ })
	e := c.event(index)
	ways := contradictions()
	ways[way%len(ways)](&e)
	target, began := c.target(), c.now()
	status, body, err := c.post(ctx, target, index, traffic.Append(nil, &e))
	if err != nil || status == http.StatusServiceUnavailable {
		return // nobody knows, and nothing is owed
	}
	o := objectionsOf(body)
	switch {
	case status == http.StatusBadRequest && c.book.explains(target, o.codes(), began, c.now()):
	case status == http.StatusBadRequest && c.book.maybeGone(index):
	case status != http.StatusConflict:
		c.book.wrong("%s: sent with another content and told %d: %.300s", e.ID, status, body)
	case o.ErrorID == uuid.Nil:
		c.book.wrong("%s: sent with another content, and the conflict is not kept: %.300s", e.ID, body)
	default:
		c.book.ledger.Contradicted(o.ErrorID, index)
	}
}
