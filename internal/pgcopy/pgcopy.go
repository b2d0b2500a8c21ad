// Package pgcopy renders values in the binary form of Postgres, and rows in the binary format
// of COPY (PostgreSQL documentation, COPY, "Binary Format").
package pgcopy

import (
	"encoding/binary"
	"math"
	"time"
)

// AppendHeader appends what stands before the first row.
func AppendHeader(b []byte) []byte {
	return append(b, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
}

// AppendRow appends the beginning of a row, which its values follow.
func AppendRow(b []byte, columns uint16) []byte { return binary.BigEndian.AppendUint16(b, columns) }

// AppendTrailer appends what stands behind the last row.
func AppendTrailer(b []byte) []byte { return binary.BigEndian.AppendUint16(b, math.MaxUint16) }

// AppendNull appends a null of any type.
func AppendNull(b []byte) []byte { return binary.BigEndian.AppendUint32(b, math.MaxUint32) }

// AppendBytes appends a text, a bytea or a uuid. It is shorter than 1 GiB, as every value is.
func AppendBytes[T string | []byte](b []byte, value T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(value))) //nolint:gosec // see above
	return append(b, value...)
}

// AppendJSONB appends the text of a JSON document: it stands behind the version of the form.
func AppendJSONB(b, text []byte) []byte {
	const version = 1
	b = binary.BigEndian.AppendUint32(b, uint32(1+len(text))) //nolint:gosec // see AppendBytes
	b = append(b, version)

	return append(b, text...)
}

// AppendInt32 appends an integer.
func AppendInt32(b []byte, value int32) []byte {
	b = binary.BigEndian.AppendUint32(b, 4)
	return binary.BigEndian.AppendUint32(b, uint32(value)) //nolint:gosec // same bits
}

// AppendInt64 appends a bigint.
func AppendInt64(b []byte, value int64) []byte {
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, uint64(value)) //nolint:gosec // same bits
}

// AppendTime appends a timestamp with time zone.
func AppendTime(b []byte, at time.Time) []byte { return AppendInt64(b, Microseconds(at)) }

// Microseconds counts from Postgres' epoch, 2000-01-01.
func Microseconds(at time.Time) int64 {
	const epoch = 946_684_800_000_000
	return at.UnixMicro() - epoch
}
