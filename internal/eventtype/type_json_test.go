package eventtype_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// A time has six digits behind the point in JSON, as it has in CSV, also when the last are zeros.
func TestTheTimeOfCreationHasMicroseconds(t *testing.T) {
	t.Parallel()
	created := eventtype.Type{Key: eventtype.Key{Category: "page", Name: "view"}, CreatedAt: time.Date(2026, 3, 15, 1, 0, 0, 120_000_000, time.FixedZone("", 3600))}

	text, err := json.Marshal(created)

	require.NoError(t, err)
	require.Contains(t, string(text), `"created_at":"2026-03-15T00:00:00.120000Z"`)
	require.Contains(t, string(text), `"category":"page"`)
	var read eventtype.Type
	require.NoError(t, json.Unmarshal(text, &read))
	require.True(t, created.CreatedAt.Equal(read.CreatedAt))
}
