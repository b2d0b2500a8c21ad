package main_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	main "github.com/the-eye-events/the-eye/cmd/theeye"
)

// On a terminal the shown text is overwritten, not more often than a reader can follow, and
// removed at the end. Without a terminal nothing is shown.
func TestProgress(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	var out bytes.Buffer
	p := main.NewProgress(&out, func() time.Time { return now })
	p.Clear()
	require.Empty(t, out.String(), "nothing was shown")
	p.Show("%d events", 1)
	p.Show("%d events", 2)
	now = now.Add(time.Second)
	p.Show("%d events", 3)
	p.Clear()
	require.Equal(t, "\r\x1b[K1 events\r\x1b[K3 events\r\x1b[K", out.String())

	silent := main.NewProgress(nil, func() time.Time { return now })
	silent.Show("%d events", 1)
	silent.Clear()
}
