package load

import (
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/eyeload/load/reconcile"
)

// answer is what the API answers to events: the verdict on one, or the verdicts on
// a batch.
type answer struct {
	verdict
	Results []verdict `json:"results"`
}

type verdict struct {
	EventID  uuid.UUID `json:"event_id"`
	Status   string    `json:"status"`
	Sequence int64     `json:"sequence"`
}

// recordAnswer notes what an answer says of the events of a request, and counts them. They
// are all unanswered unless it says what became of every one.
func (p *eventSender) recordAnswer(indexes []uint64, status int, body []byte) (told reconcile.Counts) {
	open := reconcile.Counts{reconcile.Unanswered: int64(len(indexes))}
	success := status >= http.StatusOK && status < http.StatusMultipleChoices
	if !success && !isFinal(status) {
		return open
	}

	var a answer
	err := json.Unmarshal(body, &a)
	single := p.isSingle()
	if !success && (single || err != nil || len(a.Results) == 0) {
		// Nothing of a request that was refused as a whole is stored.
		refused := reconcile.Rejected
		if single && status == http.StatusConflict {
			refused = reconcile.Conflict
		}

		for _, index := range indexes {
			p.journal.RecordVerdict(index, refused, 0)
		}

		told[refused] = int64(len(indexes))
		return told
	}

	results := a.Results
	if single {
		results = []verdict{a.verdict}
	}

	if err != nil || len(results) != len(indexes) {
		const enough = 200
		p.journal.RecordViolation("an answer %d to %d events cannot be understood: %.*q", status, len(indexes), enough, body)
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
		told[v]++
	}

	return told
}

// checkVerdict tells whether a verdict can be one on an event. One that cannot is a
// defect of the service, and no answer.
func (p *eventSender) checkVerdict(index uint64, r *verdict) bool {
	v, known := parseVerdict(r.Status)
	id := p.source.ID(index)
	if known && (!v.Acknowledged() || (r.EventID == id && r.Sequence > 0)) {
		return true
	}

	p.journal.RecordViolation("%s: told %q for the id %s with sequence %d, which cannot be", id, r.Status, r.EventID, r.Sequence)
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

// isFinal tells whether an answer that is no success says that nothing was stored.
// Any other means that the events are to be sent again.
func isFinal(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}

	return status >= http.StatusBadRequest && status < http.StatusInternalServerError
}
