package postgres

import (
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// arrayParam is a one-dimensional array in the binary form of a statement's parameter
// (PostgreSQL sources, array_send): dimensions, a flag for nulls, the elements' type,
// length and lower bound, then each element behind its length. Values are rendered
// straight into it, which spares the driver's reflection for every one of them.
type arrayParam []byte

// columnHeader is the length of what stands before the elements.
const columnHeader = 20

// newArrayParam makes a column for n values of a type, each of about size bytes.
func newArrayParam(element uint32, n, size int) arrayParam {
	c := make(arrayParam, columnHeader, columnHeader+n*(4+size))
	binary.BigEndian.PutUint32(c[0:], 1)
	binary.BigEndian.PutUint32(c[8:], element)
	binary.BigEndian.PutUint32(c[12:], uint32(n)) //nolint:gosec // a group's bound
	binary.BigEndian.PutUint32(c[16:], 1)
	return c
}

func newUUIDArray(n int) arrayParam { return newArrayParam(pgtype.UUIDOID, n, 16) }

func newTimeArray(n int) arrayParam { return newArrayParam(pgtype.TimestamptzOID, n, 8) }

func newInt64Array(n int) arrayParam { return newArrayParam(pgtype.Int8OID, n, 8) }

func newTextArray(n, size int) arrayParam { return newArrayParam(pgtype.TextOID, n, size) }

func (c *arrayParam) addUUID(value [16]byte) { *c = appendField(*c, value[:]) }

func (c *arrayParam) addTime(value time.Time) { *c = appendInt64(*c, microseconds(value)) }

func (c *arrayParam) addInt64(value int64) { *c = appendInt64(*c, value) }

func (c *arrayParam) addText(value string) { *c = appendField(*c, value) }
