package client

import (
	"context"
	"net/http"
)

const (
	// refusalsAlone is how often something refuses an event alone before another event is asked
	// about. Between two there are the waits of a refusal, so that a fault of a few minutes,
	// such as a change of a proxy, costs no event.
	refusalsAlone = 5
	// maxWitnesses bounds how many events are asked about, one after the other.
	maxWitnesses = 20
)

// mayBeContent reports whether a refusal can be about what is in an event. The service itself
// gives each event its own verdict; a firewall before it refuses the whole request because of
// one. A key or a URL that is wrong is about all events alike.
func (e *Error) mayBeContent() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusNotAcceptable, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity, http.StatusUnavailableForLegalReasons:
		return true
	case http.StatusForbidden:
		return e.Code == ""
	}

	return false
}

// isolate finds the event that a refusal may be about: it halves the batch, and returns at once
// for the next half to be sent. An event that is refused alone, again and again, while another
// one is not, gets the refusal as its verdict, so that it does not hold up all others for ever.
func (s *sender) isolate(ctx context.Context, batch [][]byte, refusal *Error) (Result, error) {
	if len(batch) > 1 {
		s.batchEvents = (len(batch) + 1) / 2
		return Result{}, nil
	}

	s.alone++
	if s.alone%refusalsAlone != 0 || !s.isAnotherTaken(ctx) {
		return Result{}, refusal
	}

	var result Result
	result.add(refusal.toVerdict(readEventID(batch[0]), "request_refused"))
	return result, nil
}

// isAnotherTaken reports whether an event other than the oldest gets a verdict: the last that
// got one, which is a duplicate now, or one of those that wait behind the oldest.
func (s *sender) isAnotherTaken(ctx context.Context) bool {
	witnesses := [][]byte{s.witness}
	if s.witness == nil {
		waiting, err := s.buffer.queue.peek(1+maxWitnesses, s.buffer.config.MaxBytes)
		if err != nil || len(waiting) == 0 {
			return false
		}

		witnesses = waiting[1:]
	}

	for _, witness := range witnesses {
		if _, err := s.post(ctx, [][]byte{witness}); err == nil {
			return true
		}
	}

	return false
}
