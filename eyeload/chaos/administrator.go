package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// editEvent changes a stored event. Where nobody knows whether that was done it is settled
// at the end of the cycle.
func (c *sender) editEvent(ctx context.Context, index uint64) {
	revision, begun := c.oracle.beginEdit(index)
	if !begun {
		return
	}

	for range tries {
		if c.editOnce(ctx, index, revision) {
			return
		}
	}
}

// editOnce asks for a revision of an event. It tells whether that was made, or cannot be
// any more.
func (c *sender) editOnce(ctx context.Context, index uint64, revision uint8) bool {
	id := c.oracle.source.ID(index)
	patch := fmt.Appendf(nil, `{"data":{"revision":%d}}`, revision)
	status, body, err := c.doRequest(ctx, http.MethodPatch, c.nextTarget()+"/v1/events/"+id.String(), c.keys.admin, patch)
	switch {
	case err != nil || status == http.StatusServiceUnavailable:
		return false
	case status == http.StatusOK:
		c.oracle.recordEdit(index)
		return true
	case status == http.StatusNotFound && c.oracle.mayBeErased(index):
		c.oracle.recordEdit(index) // what is gone has no revision
		return true
	case status == http.StatusBadRequest && c.clockExplains(body):
		return false // its clock is wrong
	}

	c.oracle.recordViolation("%s: an edit of what is stored was told %d: %.160s", id, status, body)
	return false
}

// clockExplains tells whether some wrong clock explains why an edit was refused.
func (c *sender) clockExplains(problem []byte) bool {
	o := parseViolations(problem)
	return hasOnlyCode(o.errorCodes(), codeInFuture) || hasOnlyCode(o.errorCodes(), codeTooOld)
}

// eraseEvent erases a stored event.
func (c *sender) eraseEvent(ctx context.Context, index uint64) {
	if !c.oracle.beginErasure(index) {
		return
	}

	for try := range tries {
		if c.eraseOnce(ctx, index, try == 0, false) {
			return
		}
	}
}

// eraseOnce asks for the erasure of an event. That it is not there is the proof that it
// is erased only when nothing is broken any more: until then somebody may have been told
// so by a server that is about to be lost.
func (c *sender) eraseOnce(ctx context.Context, index uint64, first, calm bool) bool {
	id := c.oracle.source.ID(index)
	status, body, err := c.doRequest(ctx, http.MethodDelete, c.nextTarget()+"/v1/events/"+id.String(), c.keys.admin, nil)
	switch {
	case err != nil || status == http.StatusServiceUnavailable:
		return false
	case status == http.StatusOK || status == http.StatusNoContent || (status == http.StatusNotFound && calm):
		c.oracle.recordErasure(index, c.now())
		return true
	case status == http.StatusNotFound && (!first || c.sessionMayBeErased(index)):
		return false
	}

	c.oracle.recordViolation("%s: the erasure of what is stored was told %d: %.160s", id, status, body)
	return false
}

// sessionMayBeErased tells whether somebody asked to erase the session of an event.
func (c *sender) sessionMayBeErased(index uint64) bool {
	c.oracle.mu.Lock()
	defer c.oracle.mu.Unlock()

	return c.oracle.erasures[c.oracle.source.session(index)] != nil
}

// eraseSession erases the session of a stored event.
func (c *sender) eraseSession(ctx context.Context, index uint64) {
	session, begun := c.oracle.beginSessionErasure(index)
	if !begun {
		return
	}

	for range tries {
		if c.eraseSessionOnce(ctx, session, false) {
			return
		}
	}
}

// eraseSessionOnce asks for the erasure of a session. calm is as for eraseOnce.
func (c *sender) eraseSessionOnce(ctx context.Context, session uuid.UUID, calm bool) bool {
	status, body, err := c.doRequest(ctx, http.MethodDelete, c.nextTarget()+"/v1/sessions/"+session.String(), c.keys.admin, nil)
	switch {
	case err != nil || status == http.StatusServiceUnavailable:
		return false
	case status == http.StatusOK || (status == http.StatusNotFound && calm):
		c.oracle.recordSessionErasure(session, c.now())
		return true
	case status == http.StatusAccepted:
		return false // it goes on
	case status == http.StatusNotFound:
		return false // an earlier attempt erased it, or so it seems
	}

	c.oracle.recordViolation("session %s: its erasure was told %d: %.300s", session, status, body)
	return false
}

// replayTotals is what a replay says of itself.
type replayTotals struct {
	Skipped int64 `json:"skipped"`
}

// requestReplay has a service send the refused events through again that were dated ahead. It
// tells whether it came to its end and left nothing to another.
func (c *sender) requestReplay(ctx context.Context, target string) (done bool) {
	body := fmt.Appendf(nil, `{"category":%q}`, aheadCategory)
	status, answer, err := c.doRequest(ctx, http.MethodPost, target+"/v1/errors/replay", c.keys.admin, body)
	var totals replayTotals
	switch {
	case err != nil || status == http.StatusServiceUnavailable:
		return false
	case status != http.StatusOK || json.Unmarshal(answer, &totals) != nil:
		c.oracle.recordViolation("a replay was told %d: %.300s", status, answer)
		return false
	}

	return totals.Skipped == 0
}

// replayDue replays all that was dated ahead, and returns when its time has come and each
// has been through. What is refused even then belongs to sessions that were erased.
func (c *sender) replayDue(ctx context.Context) bool {
	const rounds, pause = 60, 500 * time.Millisecond
	until := c.now().Add(aheadBy) // the latest that was sent until now
	for c.now().Before(until.Add(-aheadAllowed + pause)) {
		<-time.After(pause)
	}

	for range rounds {
		if c.requestReplay(ctx, c.nextTarget()) {
			c.oracle.recordReplay(until)
			return true
		}

		<-time.After(pause)
	}

	return false
}

// settleChanges finds out of every change what became of it, by asking for it again.
func (c *sender) settleChanges(ctx context.Context) (left int) {
	const rounds, pause = 20, 100 * time.Millisecond
	for range rounds {
		edits, erasures, sessions := c.oracle.pendingChanges()
		if left = len(edits) + len(erasures) + len(sessions); left == 0 {
			return 0
		}

		for _, session := range sessions {
			c.eraseSessionOnce(ctx, session, true)
		}

		for _, index := range erasures {
			c.eraseOnce(ctx, index, false, true)
		}

		for _, index := range edits {
			c.editOnce(ctx, index, c.oracle.requestedRevision(index))
		}

		<-time.After(pause)
	}

	edits, erasures, sessions := c.oracle.pendingChanges()
	return len(edits) + len(erasures) + len(sessions)
}
