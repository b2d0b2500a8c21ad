package pgcopy_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/pgcopy"
)

// Every value is what the driver reads.
func TestValues(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("0190163d-8694-739b-aea5-966c26f8ad91")
	at := time.Date(1999, 12, 31, 23, 59, 59, 123_456_000, time.UTC)

	for name, value := range map[string]struct {
		oid  uint32
		text []byte
		want any
	}{
		"text":                        {pgtype.TextOID, pgcopy.AppendBytes(nil, "päge"), "päge"},
		"bytea":                       {pgtype.ByteaOID, pgcopy.AppendBytes(nil, []byte{0, 255}), []byte{0, 255}},
		"uuid":                        {pgtype.UUIDOID, pgcopy.AppendBytes(nil, id[:]), [16]byte(id)},
		"integer":                     {pgtype.Int4OID, pgcopy.AppendInt32(nil, -5), int32(-5)},
		"bigint":                      {pgtype.Int8OID, pgcopy.AppendInt64(nil, -1<<40), int64(-1 << 40)},
		"time before Postgres' epoch": {pgtype.TimestamptzOID, pgcopy.AppendTime(nil, at), at},
		"document":                    {pgtype.JSONBOID, pgcopy.AppendJSONB(nil, []byte(`{"a":1}`)), map[string]any{"a": 1.0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			types := pgtype.NewMap()
			known, ok := types.TypeForOID(value.oid)
			require.True(t, ok)

			got, err := known.Codec.DecodeValue(types, value.oid, pgtype.BinaryFormatCode, value.text[4:])
			require.NoError(t, err)
			if found, ok := got.(time.Time); ok {
				got = found.UTC()
			}

			require.Equal(t, value.want, got)
		})
	}
}

// A row is its columns, each behind its length; the whole has a header and a trailer.
func TestRows(t *testing.T) {
	t.Parallel()
	b := pgcopy.AppendHeader(nil)
	b = pgcopy.AppendRow(b, 2)
	b = pgcopy.AppendBytes(b, "a")
	b = pgcopy.AppendNull(b)
	b = pgcopy.AppendTrailer(b)

	require.Equal(t, "PGCOPY\n\xff\r\n\x00"+"\x00\x00\x00\x00"+"\x00\x00\x00\x00"+
		"\x00\x02"+"\x00\x00\x00\x01a"+"\xff\xff\xff\xff"+"\xff\xff", string(b))
}
