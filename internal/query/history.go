package query

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// History tells apart the histories in which transactions are numbered. While it is the
// same, a number means the same transaction.
//
// A standby that was promoted, a server that was restored to an earlier moment, and one that
// lost its last commits in a crash, all go on with numbers that were given before.
type History struct {
	// System names the database cluster. It is kept by standbys and by restored backups,
	// but not by restored dumps.
	System int64
	// Timeline counts promotions and recoveries to a moment. 0: it is not known.
	Timeline int64
	// Started is when the server was started: no server's memory reaches further back.
	Started time.Time
}

// A place is a change that was read: the number of its transaction, and a fingerprint of
// the event. An event is stored once, at a time of its own, so a database that has the
// event under that number shares all of the history up to there.
type checkpoint struct {
	transaction int64
	fingerprint [eventFingerprintLen]byte
}

const eventFingerprintLen = 8

// newCheckpoint returns the place of a change, or the zero place when its transaction is unknown.
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

// A trail is the places that a reader passed, the newest first. The further back, the
// further apart they are: so that a few of them reach far, and what has to be read again
// after a loss is no more than a few times what was lost.
type checkpoints []checkpoint

const (
	// checkpointRatio bounds how many times further back the next place is.
	checkpointRatio = 8
	// maxCheckpoints is enough for 2^30 transactions.
	maxCheckpoints = 20
)

// addCheckpoint returns the trail with one more place, and without those that it can spare.
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

// resumeCursor finds where to go on from a cursor. Where the history is another one than the
// cursor was made in, that is the last place that both have. Nothing is left out: all that
// was committed in this history behind that place is given, some of it again. restarted
// tells so.
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

		c.at, c.checkpoints = ChangePosition{Transaction: p.transaction}, c.checkpoints[i:]
		return c, restartReason(before, mark.History) + "events are given again from the last change that both have", nil
	}

	c.at, c.checkpoints = ChangePosition{}, nil
	return c, restartReason(before, mark.History) + "events are given again from the first, because none of the changes that the cursor remembers is there", nil
}

// restartReason says why events are given again.
func restartReason(before, now History) string {
	reason := "the database was started anew without the last changes that were read"
	if before.Timeline != 0 && before.Timeline != now.Timeline {
		reason = fmt.Sprintf("the database failed over, or was restored to an earlier moment, without the last changes that were read (timeline %d became %d)", before.Timeline, now.Timeline)
	}

	return reason + "; "
}

// hasCheckpoint reports whether this history has a place.
func (f *Finder) hasCheckpoint(ctx context.Context, p checkpoint) (found bool, err error) {
	err = f.EventsOf(ctx, p.transaction, func(id uuid.UUID, receivedAt time.Time) bool {
		found = eventFingerprint(id, receivedAt) == p.fingerprint
		return !found
	})
	return found, err
}
