package query

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// changeCursor is where a reader of changes is, and the history in which it got there.
type changeCursor struct {
	history History
	at      ChangePosition
	trail   trail
}

// A cursor of changes is a version, the filter's fingerprint, the history, the position,
// the trail, and a checksum of it all. Version 2 had of the history the cluster alone, and
// no trail.
const (
	changeVersion    = 3
	oldChangeVersion = 2

	changePositionLen = 8 + 8 + 16
	oldChangeLen      = 1 + fingerprintLen + 8 + changePositionLen + checksumLen
	changeLen         = oldChangeLen + 8 + 8
	placeLen          = 8 + witnessLen
)

func (c changeCursor) encode(filter string) string {
	b := make([]byte, 0, changeLen+trailLen*placeLen)
	b = append(b, changeVersion)
	b = append(b, fingerprint(filter)...)
	for _, number := range []int64{c.history.System, c.history.Timeline, c.history.Started.UnixMicro(), c.at.Transaction, c.at.At.UnixMicro()} {
		b = binary.BigEndian.AppendUint64(b, uint64(number)) //nolint:gosec // same bits
	}
	b = append(b, c.at.ID[:]...)
	for _, p := range c.trail {
		b = binary.BigEndian.AppendUint64(b, uint64(p.transaction)) //nolint:gosec // same bits
		b = append(b, p.witness[:]...)
	}
	b = append(b, checksum(b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeChange reads a cursor that was made for a filter in a database cluster. An empty
// one is the beginning.
func decodeChange(filter string, system int64, text string) (c changeCursor, err error) {
	if text == "" {
		return c, nil
	}
	b, err := decodeText(text)
	if err != nil || !wellFormed(b) {
		return c, refuseCursor("after", "the cursor was altered, or is none of changes; use next as it was given, or leave after out to begin anew")
	}
	if string(b[1:1+fingerprintLen]) != string(fingerprint(filter)) {
		return c, refuseCursor("after", "the cursor belongs to other filters, or to a key that reads another application; repeat those that it came with")
	}

	r := reader(b[1+fingerprintLen : len(b)-checksumLen])
	if c.history.System = r.number(); c.history.System != system {
		return c, refuseCursor("after", "the cursor is of another database cluster, which numbered its transactions by itself: "+
			"this one was restored from a dump, or upgraded; leave after out (theeye export: delete the cursor file) to read everything anew, events have the same event_id")
	}
	if b[0] == changeVersion {
		c.history.Timeline, c.history.Started = r.number(), time.UnixMicro(r.number()).UTC()
	}
	c.at = ChangePosition{Transaction: r.number(), At: time.UnixMicro(r.number()).UTC(), ID: uuid.UUID(r.take(16))}
	for len(r) > 0 {
		c.trail = append(c.trail, place{r.number(), [witnessLen]byte(r.take(witnessLen))})
	}
	if !storable(c.at.At) {
		return c, refuseCursor("after", "the cursor was made up; use next as it was given, or leave after out to begin anew")
	}
	return c, nil
}

// wellFormed tells whether a cursor has a length that its version can have, and its checksum.
func wellFormed(b []byte) bool {
	switch {
	case len(b) == 0:
		return false
	case b[0] == oldChangeVersion && len(b) == oldChangeLen:
	case b[0] == changeVersion && len(b) >= changeLen && len(b) <= changeLen+trailLen*placeLen && (len(b)-changeLen)%placeLen == 0:
	default:
		return false
	}
	end := len(b) - checksumLen
	return string(checksum(b[:end])) == string(b[end:])
}

// reader takes a cursor apart from its front; wellFormed has looked at its length.
type reader []byte

func (r *reader) take(n int) []byte {
	taken := (*r)[:n]
	*r = (*r)[n:]
	return taken
}

func (r *reader) number() int64 { return int64(binary.BigEndian.Uint64(r.take(8))) } //nolint:gosec // same bits
