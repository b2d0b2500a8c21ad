package postgres

import (
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// column is a one-dimensional array in the binary form of a statement's parameter
// (PostgreSQL sources, array_send): dimensions, a flag for nulls, the elements' type,
// length and lower bound, then each element behind its length. Values are rendered
// straight into it, which spares the driver's reflection for every one of them.
type column []byte

// columnHeader is the length of what stands before the elements.
const columnHeader = 20

// newColumn makes a column for n values of a type, each of about size bytes.
func newColumn(element uint32, n, size int) column {
	c := make(column, columnHeader, columnHeader+n*(4+size))
	binary.BigEndian.PutUint32(c[0:], 1)
	binary.BigEndian.PutUint32(c[8:], element)
	binary.BigEndian.PutUint32(c[12:], uint32(n)) //nolint:gosec // a group's bound
	binary.BigEndian.PutUint32(c[16:], 1)
	return c
}

func newUUIDs(n int) column { return newColumn(pgtype.UUIDOID, n, 16) }

func newTimes(n int) column { return newColumn(pgtype.TimestamptzOID, n, 8) }

func newIntegers(n int) column { return newColumn(pgtype.Int8OID, n, 8) }

func newTexts(n, size int) column { return newColumn(pgtype.TextOID, n, size) }

func (c *column) id(value [16]byte) { *c = appendField(*c, value[:]) }

func (c *column) time(value time.Time) { *c = appendInt64(*c, microseconds(value)) }

func (c *column) integer(value int64) { *c = appendInt64(*c, value) }

func (c *column) text(value string) { *c = appendField(*c, value) }
