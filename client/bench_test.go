package client_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/the-eye-events/the-eye/client"
)

// Enqueue is on the path of each request of an application.
func BenchmarkEnqueue(b *testing.B) {
	for _, c := range []struct {
		name   string
		config client.BufferConfig
	}{
		{"memory", client.BufferConfig{}},
		{"spool", client.BufferConfig{Spool: "spool"}},
		{"spool and sync", client.BufferConfig{Spool: "spool", SpoolSync: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			if c.config.Spool != "" {
				c.config.Spool = b.TempDir()
			}

			c.config.MaxEvents = 1 << 30
			c.config.MaxBytes = 1 << 40
			silent := newClient(b, "http://eye.test", client.WithHTTPClient(&http.Client{Transport: waiting{}}))
			buffer := newBuffer(b, silent, c.config)
			e := newEvent("good")
			e.EventID = ""
			b.ReportAllocs()
			for b.Loop() {
				if err := buffer.Enqueue(e); err != nil {
					b.Fatal(err)
				}
			}

			b.StopTimer()
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			_, _ = buffer.Close(ended)
		})
	}
}
