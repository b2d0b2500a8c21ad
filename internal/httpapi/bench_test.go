package httpapi_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/httpapi"
)

// benchBatch is a batch of 100 events of a common size.
func benchBatch(b *testing.B) string {
	b.Helper()
	events := make([]string, 100)
	for i := range events {
		events[i] = newEvent(b, newID(), "event_id", newID(), "data", map[string]any{
			"url": "https://www.example.com/products/shoes?color=red&size=42", "referrer": "https://www.example.com/", "load_ms": 123.25,
		})
	}

	return batchOf(events...)
}

// BenchmarkReadBody reads and validates a batch of 100 events, the work on a request before it
// waits in the group. Gin's context takes a few microseconds of it.
func BenchmarkReadBody(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	plain, rules := benchBatch(b), event.DefaultRules()
	var zipped, packed bytes.Buffer
	gzipped := gzip.NewWriter(&zipped)
	_, err := gzipped.Write([]byte(plain))
	require.NoError(b, err)
	require.NoError(b, gzipped.Close())
	zstded, err := zstd.NewWriter(&packed)
	require.NoError(b, err)
	_, err = zstded.Write([]byte(plain))
	require.NoError(b, err)
	require.NoError(b, zstded.Close())
	for _, body := range []struct{ encoding, content string }{{"", plain}, {"gzip", zipped.String()}, {"zstd", packed.String()}} {
		b.Run("encoding="+cmp.Or(body.encoding, "none"), func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/events", strings.NewReader(body.content))
				request.Header.Set("Content-Type", "application/json")
				if body.encoding != "" {
					request.Header.Set("Content-Encoding", body.encoding)
				}

				text, err := httpapi.ReadBody(rules.Limits, httptest.NewRecorder(), request)
				if err != nil {
					b.Fatal(err)
				}

				envelopes, _, err := event.ParseJSON(text, &rules, time.Now())
				if err != nil || len(envelopes) != 100 || !envelopes[99].Accepted() {
					b.Fatal(err, len(envelopes))
				}
			}
		})
	}
}

// BenchmarkRenderEvents renders a page of 100 events.
func BenchmarkRenderEvents(b *testing.B) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 123_456_000, time.UTC)
	stored := event.Stored{
		Event: event.Event{
			ID: uuid.New(), SessionID: uuid.New(), Category: "page", Name: "view", Timestamp: at,
			Data: []byte(`{"url": "https://www.example.com/products/shoes?color=red&size=42", "load_ms": 123.25}`),
		},
		Application: "shop", ReceivedAt: at, Sequence: 17,
	}
	var page []byte
	b.ReportAllocs()
	for b.Loop() {
		page = page[:0]
		for range 100 {
			page = httpapi.AppendEvent(page, &stored)
		}

		b.SetBytes(int64(len(page)))
	}
}
