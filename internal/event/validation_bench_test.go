package event_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
)

// The cost of validation apart from finding the members: the time, and the canonical form by
// which payloads are compared.

func BenchmarkParseTimestamp(b *testing.B) {
	for name, text := range map[string]string{
		"rfc3339": "2021-01-01T09:15:27.243860Z",
		"offset":  "2021-01-01T10:15:27.243860+01:00",
		"space":   "2021-01-01 09:15:27.243860",
		"refused": "2021-02-30T09:15:27.243860Z",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, valid := event.ParseTimestamp(text); valid == (name == "refused") {
					b.Fatal(text)
				}
			}
		})
	}
}

func BenchmarkCanonical(b *testing.B) {
	e := parse(b, pageView)
	require.True(b, e.Accepted())
	b.SetBytes(int64(len(e.Event.Data)))
	b.ReportAllocs()
	for b.Loop() {
		_ = event.Canonicalize(e.Event.Data)
	}
}
