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
type place struct {
	transaction int64
	witness     [witnessLen]byte
}

const witnessLen = 8

// placeOf returns the place of a change, or the zero place when its transaction is unknown.
func placeOf(c *Change) place {
	if c.Position.Transaction < firstTransaction {
		return place{}
	}
	return place{c.Position.Transaction, witnessOf(c.Event.ID, c.Event.ReceivedAt)}
}

func witnessOf(id uuid.UUID, receivedAt time.Time) (witness [witnessLen]byte) {
	text := binary.BigEndian.AppendUint64(append([]byte("place "), id[:]...), uint64(receivedAt.UnixMicro()))
	sum := sha256.Sum256(text)
	copy(witness[:], sum[:])
	return witness
}

// A trail is the places that a reader passed, the newest first. The further back, the
// further apart they are: so that a few of them reach far, and what has to be read again
// after a loss is no more than a few times what was lost.
type trail []place

const (
	// trailRatio bounds how many times further back the next place is.
	trailRatio = 8
	// trailLen is enough for 2^30 transactions.
	trailLen = 20
)

// with returns the trail with one more place, and without those that it can spare.
func (t trail) with(newest place) trail {
	if newest.transaction < firstTransaction {
		return t
	}
	longer := trail{newest}
	for i, p := range t {
		back := func(p place) int64 { return newest.transaction - p.transaction }
		spare := i+1 < len(t) && back(t[i+1]) <= trailRatio*back(longer[len(longer)-1])
		if back(p) > 0 && !spare && len(longer) < trailLen {
			longer = append(longer, p)
		}
	}
	return longer
}

// resume finds where to go on from a cursor. Where the history is another one than the
// cursor was made in, that is the last place that both have. Nothing is left out: all that
// was committed in this history behind that place is given, some of it again. restarted
// tells so.
func (f *Finder) resume(ctx context.Context, filter ChangeFilter, text string, mark Watermark) (c changeCursor, restarted string, err error) {
	c, err = decodeChange(filter.describe(), mark.History.System, text)
	before := c.history
	c.history = mark.History
	changed := before != mark.History && len(c.trail) > 0
	if err != nil || !changed && c.at.Transaction < mark.Next {
		return c, "", err
	}

	for i, p := range c.trail {
		found, err := f.has(ctx, p)
		switch {
		case err != nil:
			return c, "", err
		case !found:
			continue
		case i == 0:
			return c, "", nil
		}
		c.at, c.trail = ChangePosition{Transaction: p.transaction}, c.trail[i:]
		return c, restart(before, mark.History) + "events are given again from the last change that both have", nil
	}
	c.at, c.trail = ChangePosition{}, nil
	return c, restart(before, mark.History) + "events are given again from the first, because none of the changes that the cursor remembers is there", nil
}

// restart says why events are given again.
func restart(before, now History) string {
	reason := "the database was started anew without the last changes that were read"
	if before.Timeline != 0 && before.Timeline != now.Timeline {
		reason = fmt.Sprintf("the database failed over, or was restored to an earlier moment, without the last changes that were read (timeline %d became %d)", before.Timeline, now.Timeline)
	}
	return reason + "; "
}

// has tells whether this history has a place.
func (f *Finder) has(ctx context.Context, p place) (found bool, err error) {
	err = f.EventsOf(ctx, p.transaction, func(id uuid.UUID, receivedAt time.Time) bool {
		found = witnessOf(id, receivedAt) == p.witness
		return !found
	})
	return found, err
}
