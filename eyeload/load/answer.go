package load

import (
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// answer is the API's answer to events: the verdict on one event, or the verdicts on a batch.
type answer struct {
	verdict
	Results []verdict `json:"results"`
}

type verdict struct {
	EventID  uuid.UUID `json:"event_id"`
	Status   string    `json:"status"`
	Sequence int64     `json:"sequence"`
}

// recordAnswer records and counts the verdicts on the events of a request. All of them are
// unanswered unless the answer has a verdict for each.
func (p *eventSender) recordAnswer(indexes []uint64, status int, body []byte) (counts reconcile.Counts) {
	open := reconcile.Counts{reconcile.Unanswered: int64(len(indexes))}
	success := status >= http.StatusOK && status < http.StatusMultipleChoices
	if !success && !isFinal(status) {
		return open
	}

	var a answer
	err := json.Unmarshal(body, &a)
	single := p.isSingle()
	if !success && (single || err != nil || len(a.Results) == 0) {
		// A request that was rejected as a whole stores nothing.
		rejection := reconcile.Rejected
		if single && status == http.StatusConflict {
			rejection = reconcile.Conflict
		}

		for _, index := range indexes {
			p.journal.RecordVerdict(index, rejection, 0)
		}

		counts[rejection] = int64(len(indexes))

		return counts
	}

	results := a.Results
	if single {
		results = []verdict{a.verdict}
	}

	if err != nil || len(results) != len(indexes) {
		const enough = 200
		p.journal.RecordViolation("an invalid answer %d to %d events: %.*q", status, len(indexes), enough, body)
		return open
	}

	for i, r := range results {
		if !p.checkVerdict(indexes[i], &r) {
			return open
		}
	}

	for i, r := range results {
		v, _ := parseVerdict(r.Status)
		p.journal.RecordVerdict(indexes[i], v, r.Sequence)
		counts[v]++
	}

	return counts
}

// checkVerdict reports whether a verdict is possible for an event. An impossible verdict is
// recorded as a violation of the service, and does not count as an answer.
func (p *eventSender) checkVerdict(index uint64, r *verdict) bool {
	v, known := parseVerdict(r.Status)
	id := p.source.ID(index)
	if known && (!v.Acknowledged() || (r.EventID == id && r.Sequence > 0)) {
		return true
	}

	p.journal.RecordViolation("%s: answered %q for the id %s with sequence %d, which is not possible", id, r.Status, r.EventID, r.Sequence)

	return false
}

func parseVerdict(status string) (reconcile.Verdict, bool) {
	for _, v := range []reconcile.Verdict{reconcile.Stored, reconcile.Duplicate, reconcile.Conflict, reconcile.Rejected} {
		if v.String() == status {
			return v, true
		}
	}

	return reconcile.Unanswered, false
}

// isFinal reports whether an unsuccessful answer means that nothing was stored. After any other
// the events have to be sent again.
func isFinal(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}

	return status >= http.StatusBadRequest && status < http.StatusInternalServerError
}
