//go:build pictures

package app_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// TestPictures draws docs/trace.svg from the spans of a run: three requests that
// shared a group, the group, and its steps.
func TestPictures(t *testing.T) { //nolint:paralleltest // the exporters read the environment of the process
	const together = 3
	receiver := apptest.NewReceiver(t)
	s := apptest.Start(t, tracedSettings(t, receiver.HTTP, "OTEL_METRICS_EXPORTER", "none"))
	traces := shareGroup(t, s, together)
	rows := map[string]apptest.Span{}
	var order []string
	add := func(label string, span apptest.Span) {
		label += "  trace " + span.TraceID()[24:]
		order = append(order, label)
		rows[label] = span
	}
	for _, span := range receiver.AwaitSpans(t, "POST /v1/events", together+2) {
		if slices.Contains(traces, span.TraceID()) {
			add(fmt.Sprintf("POST /v1/events  #%d", len(order)+1), span)
		}
	}

	var group apptest.Span
	for _, span := range receiver.AwaitSpans(t, "commit group", 3) {
		if len(span.Links) == together {
			group = span
		}
	}

	add("commit group", group)
	for _, name := range []string{"lock", "write"} {
		for _, span := range receiver.AwaitSpans(t, name, 3) {
			if span.TraceID() == group.TraceID() {
				add("  "+name, span)
			}
		}
	}

	require.NoError(t, os.WriteFile("../../docs/trace.svg", []byte(waterfall(order, rows)), 0o600))
}

// waterfall draws a bar for each span, and dashed lines for the links of requests.
func waterfall(order []string, rows map[string]apptest.Span) string {
	const width, left, top, high = 1100, 300, 50, 34
	begin, end := bounds(rows)
	at := func(nano uint64) float64 { return left + float64(nano-begin)/float64(end-begin)*(width-left-110) }
	var b strings.Builder
	height := top + len(order)*high + 20
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><text x="12" y="26" font-size="15" fill="#222">Three requests, the group that committed them, and its steps (%.1f ms; dashed: links)</text>`+"\n", width, height, float64(end-begin)/1e6)
	y := func(i int) int { return top + i*high }
	for i, label := range order {
		span := rows[label]
		x0, x1 := at(span.StartTimeUnixNano), at(span.EndTimeUnixNano)
		fmt.Fprintf(&b, `<text x="12" y="%d" fill="#333" xml:space="preserve">%s</text>`, y(i)+15, label)
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="20" rx="3" fill="%s"/>`, x0, y(i), max(2, x1-x0), colour(span))
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#333">%.2f ms</text>`+"\n", x1+6, y(i)+15, float64(span.EndTimeUnixNano-span.StartTimeUnixNano)/1e6)
		for j, other := range order {
			if j > i && span.Kind == tracepb.Span_SPAN_KIND_SERVER && linked(span, rows[other]) {
				x := at(rows[other].StartTimeUnixNano)
				fmt.Fprintf(&b, `<path d="M%.1f %d V%d" stroke="#888" stroke-dasharray="4 3" fill="none"/>`+"\n", x+float64(3*i), y(i)+20, y(j))
			}
		}
	}

	b.WriteString("</svg>\n")
	return b.String()
}

func bounds(rows map[string]apptest.Span) (begin, end uint64) {
	for _, span := range rows {
		if begin == 0 || span.StartTimeUnixNano < begin {
			begin = span.StartTimeUnixNano
		}

		end = max(end, span.EndTimeUnixNano)
	}

	return begin, end
}

func linked(from, to apptest.Span) bool {
	for _, link := range from.Links {
		if hex.EncodeToString(link.SpanId) == to.ID() {
			return true
		}
	}

	return false
}

func colour(span apptest.Span) string {
	switch {
	case span.Kind == tracepb.Span_SPAN_KIND_SERVER:
		return "#4c78a8"
	case span.Name == "commit group":
		return "#f58518"
	}

	return "#54a24b"
}
