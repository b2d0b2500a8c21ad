package postgres

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/the-eye-events/the-eye/internal/pgcopy"
)

// arrayParam is a one-dimensional array in the binary form of a statement's parameter
// (PostgreSQL sources, array_send): dimensions, a flag for nulls, the type of the elements,
// length and lower bound, then each element after its length. Values are written directly into
// it.
type arrayParam []byte

// arrayHeader is the length of the part before the elements.
const arrayHeader = 20

// newArrayParam makes an array of n values of a type, each of about size bytes.
func newArrayParam(element uint32, n, size int) arrayParam {
	a := make(arrayParam, arrayHeader, arrayHeader+n*(4+size))
	binary.BigEndian.PutUint32(a[0:], 1)
	binary.BigEndian.PutUint32(a[8:], element)
	binary.BigEndian.PutUint32(a[12:], uint32(n)) //nolint:gosec // a group's bound
	binary.BigEndian.PutUint32(a[16:], 1)

	return a
}

func newUUIDArray(n int) arrayParam { return newArrayParam(pgtype.UUIDOID, n, 16) }

func newTimeArray(n int) arrayParam { return newArrayParam(pgtype.TimestamptzOID, n, 8) }

func newInt32Array(n int) arrayParam { return newArrayParam(pgtype.Int4OID, n, 4) }

func newInt64Array(n int) arrayParam { return newArrayParam(pgtype.Int8OID, n, 8) }

func newTextArray(n, size int) arrayParam { return newArrayParam(pgtype.TextOID, n, size) }

func newJSONArray(n, size int) arrayParam { return newArrayParam(pgtype.JSONBOID, n, size) }

func newBytesArray(n, size int) arrayParam { return newArrayParam(pgtype.ByteaOID, n, size) }

func (a *arrayParam) addUUID(value uuid.UUID) { *a = pgcopy.AppendBytes(*a, value[:]) }

func (a *arrayParam) addTime(value time.Time) { *a = pgcopy.AppendTime(*a, value) }

func (a *arrayParam) addInt32(value int32) { *a = pgcopy.AppendInt32(*a, value) }

func (a *arrayParam) addInt64(value int64) { *a = pgcopy.AppendInt64(*a, value) }

func (a *arrayParam) addText(value string) { *a = pgcopy.AppendBytes(*a, value) }

func (a *arrayParam) addJSON(value []byte) { *a = pgcopy.AppendJSONB(*a, value) }

func (a *arrayParam) addBytes(value []byte) { *a = pgcopy.AppendBytes(*a, value) }

// addNull adds a null and sets the flag for nulls.
func (a *arrayParam) addNull() {
	binary.BigEndian.PutUint32((*a)[4:], 1)
	*a = pgcopy.AppendNull(*a)
}
