package query_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

// FuzzCursor checks that every text sent as a cursor is rejected or is one that
// encodeCursor could have made, and that real cursors are accepted only unaltered and
// only with their own filter.
func FuzzCursor(f *testing.F) {
	ours := query.EncodeCursor("events", query.Position{At: time.Unix(1, 0), Sequence: 7, ID: uuid.Max})
	f.Add("events", ours, int64(0), int64(1), []byte("0123456789abcdef"), uint16(0))
	f.Add("sessions", "", int64(-1), int64(1<<62), []byte{}, uint16(77))
	f.Add("", "AQ==", int64(1<<62), int64(-1), []byte{255}, uint16(9))
	f.Fuzz(func(t *testing.T, filter, text string, micros, sequence int64, id []byte, at uint16) {
		p, err := query.DecodeCursor(filter, text)
		switch {
		case err != nil:
			found, ok := fault.As(err)
			require.True(t, ok, "%v", err)
			require.Equal(t, fault.CodeInvalidCursor, found.Code)
		case p == nil:
			require.Empty(t, text)
		default:
			require.Equal(t, text, query.EncodeCursor(filter, *p))
		}

		made := query.Position{At: time.UnixMicro(micros).UTC(), Sequence: sequence}
		copy(made.ID[:], id)
		cursor := query.EncodeCursor(filter, made)
		p, err = query.DecodeCursor(filter, cursor)
		if year := made.At.Year(); year < 0 || year > 9999 {
			require.Error(t, err, "no row can have this time, and Postgres may not know it")
			return
		}

		require.NoError(t, err)
		require.Equal(t, made, *p)
		_, err = query.DecodeCursor(filter+" ", cursor)
		require.Error(t, err, "another filter")
		altered := []byte(cursor)
		altered[int(at)%len(altered)] ^= 1
		_, err = query.DecodeCursor(filter, string(altered))
		require.Error(t, err, "altered")
	})
}

// FuzzChangeCursor checks that every text sent as a cursor of changes is rejected, or
// is one that encodeText could have made.
func FuzzChangeCursor(f *testing.F) {
	f.Add("changes", int64(7), "", []byte{})
	f.Add("changes", int64(7), "AwQ", []byte("0123456789abcdef0123456789abcdef"))
	f.Fuzz(func(t *testing.T, filter string, system int64, text string, places []byte) {
		if again, err := query.ReencodeChange(filter, system, text); err == nil {
			require.Equal(t, text, again)
		} else {
			found, ok := fault.As(err)
			require.True(t, ok, "%v", err)
			require.Equal(t, fault.CodeInvalidCursor, found.Code)
		}

		made := query.EncodeTrail(filter, system, places)
		again, err := query.ReencodeChange(filter, system, made)
		require.NoError(t, err)
		require.Equal(t, made, again)
		_, err = query.ReencodeChange(filter, system+1, made)
		require.Error(t, err, "another cluster")
		_, err = query.ReencodeChange(filter+" ", system, made)
		require.Error(t, err, "another filter")
	})
}

// FuzzDataPath checks that a parsed path is rendered unchanged.
func FuzzDataPath(f *testing.F) {
	for _, text := range []string{"a", "items.0.sku", `a\.b.c\\`, ".", `\`, `\x`, "\xff", "a..b"} {
		f.Add(text)
	}

	f.Fuzz(func(t *testing.T, text string) {
		path, err := query.ParseDataPath(text)
		if err != nil {
			require.Nil(t, path)
			return
		}

		require.NotEmpty(t, path)
		require.NotContains(t, path, "")
		again, err := query.ParseDataPath(path.String())
		if err != nil { // only what is not UTF-8 becomes longer, and too long
			require.NotEqual(t, text, path.String())
			return
		}

		require.Equal(t, path, again)
	})
}
