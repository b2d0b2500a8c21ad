package query

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// changeCursor is the position of a reader of changes, and the history of the database
// in which the position was reached.
type changeCursor struct {
	history     History
	at          ChangePosition
	checkpoints checkpoints
}

// A cursor of changes consists of a version, the filter's fingerprint, the history, the
// position, the checkpoints, and a checksum of all of them. Version 2 had only the
// cluster of the history, and no checkpoints.
const (
	changeVersion    = 3
	oldChangeVersion = 2

	changePositionLen = 8 + 8 + 16
	oldChangeLen      = 1 + fingerprintLen + 8 + changePositionLen + checksumLen
	changeLen         = oldChangeLen + 8 + 8
	checkpointLen     = 8 + eventFingerprintLen
)

func (c changeCursor) encodeText(filter string) string {
	b := make([]byte, 0, changeLen+maxCheckpoints*checkpointLen)
	b = append(b, changeVersion)
	b = append(b, filterFingerprint(filter)...)
	for _, number := range []int64{c.history.System, c.history.Timeline, c.history.Started.UnixMicro(), c.at.Transaction, c.at.At.UnixMicro()} {
		b = binary.BigEndian.AppendUint64(b, uint64(number)) //nolint:gosec // same bits
	}

	b = append(b, c.at.ID[:]...)
	for _, p := range c.checkpoints {
		b = binary.BigEndian.AppendUint64(b, uint64(p.transaction)) //nolint:gosec // same bits
		b = append(b, p.fingerprint[:]...)
	}

	b = append(b, cursorChecksum(b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeChange decodes a cursor that was made for a filter in a database cluster. An
// empty cursor is the beginning.
func decodeChange(filter string, system int64, text string) (c changeCursor, err error) {
	if text == "" {
		return c, nil
	}

	b, err := decodeText(text)
	if err != nil || !isWellFormed(b) {
		return c, invalidCursor("after", "the cursor was altered, or is not a cursor of changes; use next unchanged, or leave after out to start from the beginning")
	}

	if string(b[1:1+fingerprintLen]) != string(filterFingerprint(filter)) {
		return c, invalidCursor("after", "the cursor belongs to other filters, or to a key that reads another application; repeat those that it came with")
	}

	r := cursorReader(b[1+fingerprintLen : len(b)-checksumLen])
	if c.history.System = r.readInt64(); c.history.System != system {
		return c, invalidCursor("after", "the cursor is of another database cluster, which numbered its transactions by itself: "+
			"this one was restored from a dump, or upgraded; leave after out (theeye export: delete the cursor file) to read everything again, events have the same event_id")
	}

	if b[0] == changeVersion {
		c.history.Timeline = r.readInt64()
		c.history.Started = time.UnixMicro(r.readInt64()).UTC()
	}

	c.at = ChangePosition{Transaction: r.readInt64(), At: time.UnixMicro(r.readInt64()).UTC(), ID: uuid.UUID(r.takeBytes(16))}
	for len(r) > 0 {
		c.checkpoints = append(c.checkpoints, checkpoint{r.readInt64(), [eventFingerprintLen]byte(r.takeBytes(eventFingerprintLen))})
	}

	if !isStorableTime(c.at.At) {
		return c, invalidCursor("after", "the cursor was made up; use next unchanged, or leave after out to start from the beginning")
	}

	return c, nil
}

// isWellFormed reports whether a cursor has a length that its version can have, and its checksum.
func isWellFormed(b []byte) bool {
	switch {
	case len(b) == 0:
		return false
	case b[0] == oldChangeVersion && len(b) == oldChangeLen:
	case b[0] == changeVersion && len(b) >= changeLen && len(b) <= changeLen+maxCheckpoints*checkpointLen && (len(b)-changeLen)%checkpointLen == 0:
	default:
		return false
	}

	end := len(b) - checksumLen
	return string(cursorChecksum(b[:end])) == string(b[end:])
}

// cursorReader reads the parts of a cursor in order; isWellFormed has checked its
// length.
type cursorReader []byte

func (r *cursorReader) takeBytes(n int) []byte {
	taken := (*r)[:n]
	*r = (*r)[n:]
	return taken
}

func (r *cursorReader) readInt64() int64 { return int64(binary.BigEndian.Uint64(r.takeBytes(8))) } //nolint:gosec // same bits
