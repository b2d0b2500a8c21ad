//go:build pictures

package charts_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var _ = flag.String("prometheus", "http://127.0.0.1:9090", "draw the series of this Prometheus")

// drawnSpan is the time that is drawn, drawnStep the distance of its points.
const (
	// drawnSpan is the drawn time, and drawnStep the distance of its points.
	drawnSpan = 4 * time.Minute
	drawnStep = 2 * time.Second
)

// line is a series over the drawn time.
type line struct {
	name   string
	points [][2]float64
}

// TestPicture draws docs/dashboard.svg: every panel of the dashboard with the answers of a
// Prometheus that has scraped a service for some minutes.
func TestPicture(t *testing.T) { //nolint:paralleltest // it only draws
	board := readDashboard(t)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	const unit, high = 46, 24
	var b strings.Builder
	bottom := 0
	for _, p := range board.Panels {
		bottom = max(bottom, (p.GridPos.Y+p.GridPos.H)*high)
	}

	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="10">`+"\n", 24*unit, bottom+10)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#f4f5f5"/>`+"\n", 24*unit, bottom+10)
	for _, p := range board.Panels {
		x := p.GridPos.X * unit
		y := p.GridPos.Y * high
		w := p.GridPos.W*unit - 6
		h := p.GridPos.H*high - 6
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`, x+3, y+3)
		if p.Type == "row" {
			fmt.Fprintf(&b, `<text x="2" y="14" font-size="14" font-weight="bold" fill="#222">%s</text></g>`+"\n", html.EscapeString(p.Title))
			continue
		}

		fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff" stroke="#ddd"/><text x="6" y="14" font-size="11" fill="#333">%s</text>`, w, h, html.EscapeString(p.Title))
		drawPanel(&b, p, answers(t, p), w, h)
		b.WriteString("</g>\n")
	}

	b.WriteString("</svg>\n")
	require.NoError(t, os.WriteFile("../docs/dashboard.svg", []byte(b.String()), 0o600))
}

// answers requests the lines of a panel.
func answers(t *testing.T, p panel) (lines []line) {
	t.Helper()
	end := time.Now()
	placeholder := strings.NewReplacer("$__rate_interval", "10s", "$__range", "4m", "$__interval", "2s", "$namespace", ".*", "$job", ".*")
	for _, target := range p.Targets {
		values := url.Values{
			"query": {placeholder.Replace(target.Expr)}, "step": {strconv.Itoa(int(drawnStep.Seconds()))},
			"start": {strconv.FormatInt(end.Add(-drawnSpan).Unix(), 10)}, "end": {strconv.FormatInt(end.Unix(), 10)},
		}

		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			flag.Lookup("prometheus").Value.String()+"/api/v1/query_range?"+values.Encode(), http.NoBody)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		var answer struct {
			Data struct {
				Result []struct {
					Metric map[string]string
					Values [][2]any
				}
			}
		}

		require.NoError(t, json.Unmarshal(body, &answer), "%s", body)
		for _, series := range answer.Data.Result {
			l := line{name: legend(target.LegendFormat, series.Metric)}
			for _, pair := range series.Values {
				at, _ := pair[0].(float64)
				value, err := strconv.ParseFloat(fmt.Sprint(pair[1]), 64)
				if err == nil && value == value { // not NaN
					l.points = append(l.points, [2]float64{1 - (float64(end.Unix())-at)/drawnSpan.Seconds(), value})
				}
			}

			if len(l.points) > 0 {
				lines = append(lines, l)
			}
		}
	}

	return lines
}

func legend(format string, labels map[string]string) string {
	if format != "" && format != "__auto" {
		return regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`).ReplaceAllStringFunc(format, func(m string) string {
			return labels[strings.Trim(m, "{} ")]
		})
	}

	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name != "__name__" && name != "instance" && name != "job" {
			parts = append(parts, labels[name])
		}
	}

	return strings.Join(parts, " ")
}

// drawPanel draws lines, or the last value if the panel shows one number.
func drawPanel(b *strings.Builder, p panel, lines []line, w, h int) {
	colours := []string{"#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#b279a2", "#9d755d", "#eeca3b"}
	unit := p.FieldConfig.Defaults.Unit
	if len(lines) == 0 {
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="#999">no data in this run</text>`, w/2-40, h/2)
		return
	}

	if p.Type != "timeseries" {
		for i, l := range lines[:min(len(lines), 6)] {
			value := l.points[len(l.points)-1][1]
			if p.Type == "stat" {
				fmt.Fprintf(b, `<text x="%d" y="%d" font-size="22" fill="#1f77b4" text-anchor="middle">%s</text>`, w/2, h/2+14, shown(value, unit))
				return
			}

			fmt.Fprintf(b, `<text x="8" y="%d" fill="#333">%s</text><text x="%d" y="%d" fill="#333" text-anchor="end">%s</text>`, 34+i*16, html.EscapeString(l.name), w-8, 34+i*16, shown(value, unit))
		}

		return
	}

	const left, top = 52, 24
	legends := min(len(lines), 6)
	bottom := h - 8 - 12*((legends+1)/2)
	highest := 0.0
	for _, l := range lines {
		for _, point := range l.points {
			highest = max(highest, point[1])
		}
	}

	if highest <= 0 {
		highest = 1
	}

	for _, share := range []float64{0, 0.5, 1} {
		y := float64(bottom) - share*float64(bottom-top)
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="#eee"/><text x="%d" y="%.1f" fill="#777" text-anchor="end">%s</text>`, left, y, w-6, left-4, y+3, shown(share*highest, unit))
	}

	for i, l := range lines[:min(len(lines), len(colours))] {
		var path strings.Builder
		for _, point := range l.points {
			fmt.Fprintf(&path, "%.0f,%.0f ", left+point[0]*float64(w-6-left), float64(bottom)-max(0, point[1])/highest*float64(bottom-top))
		}

		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.3"/>`, strings.TrimSpace(path.String()), colours[i])
		if i < legends {
			name := l.name
			if len(name) > 30 {
				name = name[:29] + "…"
			}

			fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s">%s</text>`, 8+i%2*(w/2), h-6-12*((legends-1)/2-i/2), colours[i], html.EscapeString(name))
		}
	}
}

// shown formats a value with its unit, as short as possible.
func shown(value float64, unit string) string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
	switch unit {
	case "percentunit":
		return number(value*100) + " %"
	case "s":
		switch {
		case value >= 2*86400:
			return number(value/86400) + " d"
		case value >= 120:
			return number(value/60) + " min"
		case value < 1 && value > 0:
			return number(value*1000) + " ms"
		}

		return number(value) + " s"
	case "bytes", "Bps":
		suffix := map[string]string{"bytes": "", "Bps": "/s"}[unit]
		for _, u := range []string{"B", "KiB", "MiB", "GiB"} {
			if value < 1024 || u == "GiB" {
				return number(value) + " " + u + suffix
			}

			value /= 1024
		}
	case "cps", "reqps", "ops":
		return shortened(value) + "/s"
	case "d":
		return number(value) + " d"
	}

	return shortened(value)
}

func shortened(value float64) string {
	if value >= 10_000 {
		return strconv.FormatFloat(value/1000, 'f', 1, 64) + "k"
	}

	return strconv.FormatFloat(value, 'g', 4, 64)
}
