package query

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// History identifies the history in which transactions are numbered. While the History
// is the same, a number means the same transaction.
//
// A standby that was promoted, a server that was restored to an earlier moment, and a
// server that lost its last commits in a crash all reuse numbers that were given
// before.
type History struct {
	// System names the database cluster. Standbys and restored backups keep it,
	// restored dumps do not.
	System int64
	// Timeline counts promotions and recoveries to a point in time. 0 means not known.
	Timeline int64
	// Started is when the server was started: no server's memory reaches further back.
	Started time.Time
}

// A checkpoint is a change that was read: the number of its transaction, and a
// fingerprint of the event. An event is stored once, at its own time, so a database
// that has the event under that number shares the history up to that transaction.
type checkpoint struct {
	transaction int64
	fingerprint [eventFingerprintLen]byte
}

const eventFingerprintLen = 8

// newCheckpoint returns the checkpoint of a change, or the zero checkpoint when its
// transaction is unknown.
func newCheckpoint(c *Change) checkpoint {
	if c.Position.Transaction < firstTransaction {
		return checkpoint{}
	}

	return checkpoint{c.Position.Transaction, eventFingerprint(c.Event.ID, c.Event.ReceivedAt)}
}

func eventFingerprint(id uuid.UUID, receivedAt time.Time) (witness [eventFingerprintLen]byte) {
	text := binary.BigEndian.AppendUint64(append([]byte("place "), id[:]...), uint64(receivedAt.UnixMicro()))
	sum := sha256.Sum256(text)
	copy(witness[:], sum[:])
	return witness
}

// checkpoints are the checkpoints that a reader passed, the newest first. Older ones
// are further apart, so that a few of them reach far back, and the changes to read
// again after a loss are not more than a few times the lost ones.
type checkpoints []checkpoint

const (
	// checkpointRatio bounds how many times further back the next checkpoint is.
	checkpointRatio = 8
	// maxCheckpoints is enough for 2^30 transactions.
	maxCheckpoints = 20
)

// addCheckpoint returns the checkpoints with a new one, and without the ones that are
// no longer needed.
func (t checkpoints) addCheckpoint(newest checkpoint) checkpoints {
	if newest.transaction < firstTransaction {
		return t
	}

	longer := checkpoints{newest}
	for i, p := range t {
		back := func(p checkpoint) int64 { return newest.transaction - p.transaction }
		spare := i+1 < len(t) && back(t[i+1]) <= checkpointRatio*back(longer[len(longer)-1])
		if back(p) > 0 && !spare && len(longer) < maxCheckpoints {
			longer = append(longer, p)
		}
	}

	return longer
}

// resumeCursor returns the cursor to continue from. If the history differs from the one
// in which the cursor was made, it continues from the last checkpoint that both have.
// Nothing is left out: all changes committed in this history after that checkpoint are
// returned, some of them again. restarted then has the reason.
func (f *Finder) resumeCursor(ctx context.Context, filter ChangeFilter, text string, mark Watermark) (c changeCursor, restarted string, err error) {
	c, err = decodeChange(filter.canonicalText(), mark.History.System, text)
	before := c.history
	c.history = mark.History
	changed := before != mark.History && len(c.checkpoints) > 0
	if err != nil || !changed && c.at.Transaction < mark.Next {
		return c, "", err
	}

	for i, p := range c.checkpoints {
		found, err := f.hasCheckpoint(ctx, p)
		switch {
		case err != nil:
			return c, "", err
		case !found:
			continue
		case i == 0:
			return c, "", nil
		}

		c.at = ChangePosition{Transaction: p.transaction}
		c.checkpoints = c.checkpoints[i:]
		return c, restartReason(before, mark.History) + "events are returned again from the last change that both have", nil
	}

	c.at = ChangePosition{}
	c.checkpoints = nil
	return c, restartReason(before, mark.History) + "events are returned again from the first, because the database has none of the changes that the cursor remembers", nil
}

// restartReason returns the reason why events are returned again.
func restartReason(before, now History) string {
	reason := "the database was restarted without the last changes that were read"
	if before.Timeline != 0 && before.Timeline != now.Timeline {
		reason = fmt.Sprintf("the database failed over, or was restored to an earlier moment, without the last changes that were read (timeline %d became %d)", before.Timeline, now.Timeline)
	}

	return reason + "; "
}

// hasCheckpoint reports whether this history has a checkpoint.
func (f *Finder) hasCheckpoint(ctx context.Context, p checkpoint) (found bool, err error) {
	err = f.EventsOf(ctx, p.transaction, func(id uuid.UUID, receivedAt time.Time) bool {
		found = eventFingerprint(id, receivedAt) == p.fingerprint
		return !found
	})
	return found, err
}
