package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// editEvent edits a stored event. An edit without an answer is settled at the end of the cycle.
func (s *sender) editEvent(ctx context.Context, index uint64) {
	revision, begun := s.oracle.beginEdit(index)
	if !begun {
		return
	}

	for range tries {
		if s.editOnce(ctx, index, revision) {
			return
		}
	}
}

// editOnce requests one revision of an event. It reports whether the edit was made or has
// become impossible.
func (s *sender) editOnce(ctx context.Context, index uint64, revision uint8) bool {
	id := s.oracle.source.ID(index)
	patch := fmt.Appendf(nil, `{"data":{"revision":%d}}`, revision)
	status, body, err := s.doRequest(ctx, http.MethodPatch, s.nextTarget()+"/v1/events/"+id.String(), s.keys.admin, patch)
	switch {
	case err != nil || status == http.StatusServiceUnavailable:
		return false
	case status == http.StatusOK:
		s.oracle.recordEdit(index)
		return true
	case status == http.StatusNotFound && s.oracle.mayBeErased(index):
		s.oracle.recordEdit(index) // an erased event has no revision
		return true
	case status == http.StatusBadRequest && s.clockExplains(body):
		return false // its clock is wrong
	}

	s.oracle.recordViolation("%s: the edit of a stored event was answered %d: %.160s", id, status, body)

	return false
}

// clockExplains reports whether a wrong clock explains the rejection of an edit.
func (s *sender) clockExplains(problem []byte) bool {
	o := parseViolations(problem)
	return hasOnlyCode(o.errorCodes(), codeInFuture) || hasOnlyCode(o.errorCodes(), codeTooOld)
}

// eraseEvent erases a stored event.
func (s *sender) eraseEvent(ctx context.Context, index uint64) {
	if !s.oracle.beginErasure(index) {
		return
	}

	for try := range tries {
		if s.eraseOnce(ctx, index, try == 0, false) {
			return
		}
	}
}

// eraseOnce requests the erasure of an event. 404 proves the erasure only when no fault is
// active: during a fault, the answer to an earlier attempt may come from a server that is about
// to be lost.
func (s *sender) eraseOnce(ctx context.Context, index uint64, first, calm bool) bool {
	id := s.oracle.source.ID(index)
	status, body, err := s.doRequest(ctx, http.MethodDelete, s.nextTarget()+"/v1/events/"+id.String(), s.keys.admin, nil)
	switch {
	case err != nil || status == http.StatusServiceUnavailable:
		return false
	case status == http.StatusOK || status == http.StatusNoContent || (status == http.StatusNotFound && calm):
		s.oracle.recordErasure(index, s.now())
		return true
	case status == http.StatusNotFound && (!first || s.sessionMayBeErased(index)):
		return false
	}

	s.oracle.recordViolation("%s: the erasure of a stored event was answered %d: %.160s", id, status, body)

	return false
}

// sessionMayBeErased reports whether the erasure of an event's session was requested.
func (s *sender) sessionMayBeErased(index uint64) bool {
	s.oracle.mu.Lock()
	defer s.oracle.mu.Unlock()

	return s.oracle.erasures[s.oracle.source.session(index)] != nil
}

// eraseSession erases the session of a stored event.
func (s *sender) eraseSession(ctx context.Context, index uint64) {
	session, begun := s.oracle.beginSessionErasure(index)
	if !begun {
		return
	}

	for range tries {
		if s.eraseSessionOnce(ctx, session, false) {
			return
		}
	}
}

// eraseSessionOnce requests the erasure of a session. calm means the same as for eraseOnce.
func (s *sender) eraseSessionOnce(ctx context.Context, session uuid.UUID, calm bool) bool {
	status, body, err := s.doRequest(ctx, http.MethodDelete, s.nextTarget()+"/v1/sessions/"+session.String(), s.keys.admin, nil)
	switch {
	case err != nil || status == http.StatusServiceUnavailable:
		return false
	case status == http.StatusOK || (status == http.StatusNotFound && calm):
		s.oracle.recordSessionErasure(session, s.now())
		return true
	case status == http.StatusAccepted:
		return false // still running
	case status == http.StatusNotFound:
		return false // an earlier attempt may have erased it
	}

	s.oracle.recordViolation("session %s: its erasure was answered %d: %.300s", session, status, body)

	return false
}

// replayTotals is the part of a replay's answer that is needed here.
type replayTotals struct {
	Skipped int64 `json:"skipped"`
}

// requestReplay asks a service to replay the rejected events that were dated ahead. It reports
// whether the replay finished and skipped nothing that another replay holds.
func (s *sender) requestReplay(ctx context.Context, target string) (done bool) {
	body := fmt.Appendf(nil, `{"category":%q}`, aheadCategory)
	status, answer, err := s.doRequest(ctx, http.MethodPost, target+"/v1/errors/replay", s.keys.admin, body)
	var totals replayTotals
	switch {
	case err != nil || status == http.StatusServiceUnavailable:
		return false
	case status != http.StatusOK || json.Unmarshal(answer, &totals) != nil:
		s.oracle.recordViolation("a replay was answered %d: %.300s", status, answer)
		return false
	}

	return totals.Skipped == 0
}

// replayDue replays all events that were dated ahead, once their time has come. An event that
// is rejected even then belongs to an erased session.
func (s *sender) replayDue(ctx context.Context) bool {
	const rounds, pause = 60, 500 * time.Millisecond

	until := s.now().Add(aheadBy) // the latest timestamp sent until now
	for s.now().Before(until.Add(-aheadAllowed + pause)) {
		<-time.After(pause)
	}

	for range rounds {
		if s.requestReplay(ctx, s.nextTarget()) {
			s.oracle.recordReplay(until)
			return true
		}

		<-time.After(pause)
	}

	return false
}

// settleChanges repeats the changes that have no answer, until their result is known. It
// returns the number that is left.
func (s *sender) settleChanges(ctx context.Context) (left int) {
	const rounds, pause = 20, 100 * time.Millisecond

	for range rounds {
		edits, erasures, sessions := s.oracle.pendingChanges()
		if left = len(edits) + len(erasures) + len(sessions); left == 0 {
			return 0
		}

		for _, session := range sessions {
			s.eraseSessionOnce(ctx, session, true)
		}

		for _, index := range erasures {
			s.eraseOnce(ctx, index, false, true)
		}

		for _, index := range edits {
			s.editOnce(ctx, index, s.oracle.requestedRevision(index))
		}

		<-time.After(pause)
	}

	edits, erasures, sessions := s.oracle.pendingChanges()

	return len(edits) + len(erasures) + len(sessions)
}
