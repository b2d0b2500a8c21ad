package query

import (
	"encoding/base64"
	"encoding/binary"
	"time"
)

// EncodeCursor renders a position in the list of a filter.
func EncodeCursor(filter string, p Position) string { return encodeCursor(filter, p) }

// DecodeCursor reads a cursor.
func DecodeCursor(filter, text string) (*Position, error) { return decodeCursor(filter, text) }

// EncodeChange renders a position among the changes of a filter.
func EncodeChange(filter string, system int64, p ChangePosition) string {
	return changeCursor{history: History{System: system}, at: p}.encodeText(filter)
}

// DecodeChange reads a cursor of changes.
func DecodeChange(filter string, system int64, text string) (ChangePosition, error) {
	c, err := decodeChange(filter, system, text)
	return c.at, err
}

// TrailBehind returns the transactions of the checkpoints of a reader that read a
// change of each of these transactions, in order.
func TrailBehind(transactions []int64) []int64 {
	var t checkpoints
	for _, transaction := range transactions {
		t = t.addCheckpoint(checkpoint{transaction: transaction})
	}

	remembered := make([]int64, 0, len(t))
	for _, p := range t {
		remembered = append(remembered, p.transaction)
	}

	return remembered
}

// ReencodeChange decodes a cursor of changes and renders it again, in its own version.
func ReencodeChange(filter string, system int64, text string) (string, error) {
	c, err := decodeChange(filter, system, text)
	if err != nil || text == "" || len(text) == base64.RawURLEncoding.EncodedLen(oldChangeLen) {
		return text, err
	}

	return c.encodeText(filter), nil
}

// EncodeTrail renders a cursor of changes whose checkpoints are any bytes.
func EncodeTrail(filter string, system int64, places []byte) string {
	c := changeCursor{history: History{System: system, Timeline: 1, Started: time.Unix(1, 0)}}
	for r := cursorReader(places); len(r) >= checkpointLen && len(c.checkpoints) < maxCheckpoints; {
		c.checkpoints = append(c.checkpoints, checkpoint{r.readInt64(), [eventFingerprintLen]byte(r.takeBytes(eventFingerprintLen))})
	}

	return c.encodeText(filter)
}

// EncodeOldChange renders a cursor of changes in version 2.
func EncodeOldChange(filter string, system int64, p ChangePosition) string {
	b := append([]byte{oldChangeVersion}, filterFingerprint(filter)...)
	for _, number := range []int64{system, p.Transaction, p.At.UnixMicro()} {
		b = binary.BigEndian.AppendUint64(b, uint64(number))
	}

	b = append(b, p.ID[:]...)
	return base64.RawURLEncoding.EncodeToString(append(b, cursorChecksum(b)...))
}
