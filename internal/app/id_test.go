package app_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/app"
)

// A rejected event is looked up by the time in its id, which has to follow the clock, also
// when the clock is set back.
func TestIDsHoldTheTime(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 5, 6, 12, 0, 0, 123_456_000, time.UTC)
	for _, at := range []time.Time{noon.AddDate(2, 0, 0), noon, noon.Add(-time.Hour)} {
		id := app.IDAt(at)
		require.Equal(t, uuid.Version(7), id.Version())
		require.Equal(t, uuid.RFC4122, id.Variant())
		require.Equal(t, at.Truncate(time.Millisecond), time.Unix(id.Time().UnixTime()).UTC())
		later := app.IDAt(at.Add(time.Microsecond))
		require.Negative(t, bytes.Compare(id[:], later[:]), "they are in the order of their making")
		require.NotEqual(t, id, app.IDAt(at))
	}
}
