package event_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
)

// pageView is an event of a common size.
const pageView = `{"event_id":"0190163d-8694-739b-aea5-966c26f8ad90","session_id":"0190163d-8694-739b-aea5-966c26f8ad91",` +
	`"category":"page","name":"page view","data":{"url":"https://www.example.com/products/shoes?color=red&size=42",` +
	`"referrer":"https://www.example.com/","title":"Shoes","viewport":{"w":1440,"h":900},"load_ms":123.25,"tags":["a","b"]},` +
	`"timestamp":"2021-01-01 09:15:27.243860"}`

func BenchmarkParseJSON(b *testing.B) {
	escaped := strings.NewReplacer("Shoes", `Sch\u00f6ne Schuhe \u2013 g\u00fcnstig\n`, "/", `\/`).Replace(pageView)
	for name, body := range map[string]string{
		"single":  pageView,
		"escaped": escaped,
		"batch":   "[" + pageView + strings.Repeat(","+pageView, 99) + "]",
		"refused": strings.Replace(pageView, "page view", `\u0000`, 1),
	} {
		b.Run(name, func(b *testing.B) {
			text, rules := []byte(body), event.DefaultRules()
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				envelopes, _, err := event.ParseJSON(text, &rules, now())
				if err != nil || envelopes[0].Accepted() != (name != "refused") {
					b.Fatal(err, envelopes)
				}
			}
		})
	}
}

func BenchmarkParseNDJSON(b *testing.B) {
	text, rules := []byte(strings.Repeat(pageView+"\n", 100)), event.DefaultRules()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		envelopes, err := event.ParseNDJSON(text, &rules, now())
		if err != nil || !envelopes[99].Accepted() {
			b.Fatal(err, envelopes)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	e := parse(b, pageView)
	require.True(b, e.Accepted())
	b.ReportAllocs()
	for b.Loop() {
		_ = e.Event.Digest()
	}
}
