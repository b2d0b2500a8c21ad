package query

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// Position is the place of a row in the order of a list: by time, then by sequence if
// rows have one, then by id.
type Position struct {
	At       time.Time
	Sequence int64
	ID       uuid.UUID
}

// A cursor consists of a version, the filter's fingerprint, the position, and a
// checksum of all of them. It is not secret and grants nothing: every request is
// authorized again. The checksum catches cursors that were altered by accident.
const (
	cursorVersion  = 1
	fingerprintLen = 8
	positionLen    = 8 + 8 + 16
	checksumLen    = 8
	cursorLen      = 1 + fingerprintLen + positionLen + checksumLen
)

// encodeCursor renders a position in the list of a filter.
func encodeCursor(filter string, p Position) string {
	b := make([]byte, 0, cursorLen)
	b = append(b, cursorVersion)
	b = append(b, filterFingerprint(filter)...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.At.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Sequence)) //nolint:gosec // same bits
	b = append(b, p.ID[:]...)
	b = append(b, cursorChecksum(b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeCursor decodes a cursor. An empty cursor is the beginning.
func decodeCursor(filter, text string) (*Position, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // the beginning of a list has no position
	}

	b, err := decodeText(text)
	if err != nil || len(b) != cursorLen || b[0] != cursorVersion || string(cursorChecksum(b[:cursorLen-checksumLen])) != string(b[cursorLen-checksumLen:]) {
		return nil, invalidCursor("cursor", "the cursor was altered; use next_cursor unchanged, or leave cursor out to start from the beginning")
	}

	if string(b[1:1+fingerprintLen]) != string(filterFingerprint(filter)) {
		return nil, invalidCursor("cursor", "the cursor belongs to other filters; repeat the filters of the page that it came with")
	}

	b = b[1+fingerprintLen:]
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC() //nolint:gosec // same bits
	if !isStorableTime(at) {
		return nil, invalidCursor("cursor", "the cursor was made up; use next_cursor unchanged, or leave cursor out to start from the beginning")
	}

	return &Position{
		At:       at,
		Sequence: int64(binary.BigEndian.Uint64(b[8:])), //nolint:gosec // same bits
		ID:       uuid.UUID(b[16:32]),
	}, nil
}

// isStorableTime reports whether a row could have this time: any reader of this code
// can compute the checksum, and a cursor can hold times that Postgres cannot store.
func isStorableTime(at time.Time) bool { return at.Year() >= 0 && at.Year() < 10_000 }

// decodeText decodes the text of a cursor. It rejects line ends, because the library
// ignores them, and then two texts would be the same cursor.
func decodeText(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errLineEnd
	}

	return base64.RawURLEncoding.Strict().DecodeString(text) //nolint:wrapcheck // the caller rejects any error
}

var errLineEnd = errors.New("a cursor has no line ends")

func invalidCursor(parameter, detail string) error {
	return &fault.Error{
		Kind:       fault.Invalid,
		Code:       fault.CodeInvalidCursor,
		Detail:     detail,
		Violations: []fault.Violation{{Parameter: parameter, Code: fault.CodeInvalidCursor, Detail: detail}},
	}
}

func filterFingerprint(filter string) []byte {
	sum := sha256.Sum256([]byte("filter " + filter))
	return sum[:fingerprintLen]
}

func cursorChecksum(b []byte) []byte {
	sum := sha256.Sum256(append([]byte("cursor "), b...))
	return sum[:checksumLen]
}
