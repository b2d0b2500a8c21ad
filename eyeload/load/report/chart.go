package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The size of a chart, in the units of its view box, and its margins.
const (
	chartWidth   = 920.0
	chartHeight  = 320.0
	marginLeft   = 64.0
	marginRight  = 64.0
	marginTop    = 16.0
	marginBottom = 44.0
	plotRight    = chartWidth - marginRight
	plotBottom   = chartHeight - marginBottom
)

// chart is a drawing for the template: lines, their axes, and dots that show their values under
// the pointer.
type chart struct {
	Width, Height, Left, Right, Top, Bottom float64
	X, Y, Y2                                []tick
	XTitle, YTitle, Y2Title                 string
	Lines                                   []line
	Marks                                   []tick
}

// tick is a position on an axis.
type tick struct {
	At   float64
	Text string
}

// line is a row of points. Class is its style.
type line struct {
	Name, Class, Path string
	Dots              []dot
}

type dot struct {
	X, Y  float64
	Title string
}

// axis maps values to positions.
type axis struct {
	from, to     float64 // values; logarithms if log is set
	start, end   float64 // positions
	log          bool
	ticks        []float64
	describeTick func(float64) string
}

func (a *axis) positionOf(v float64) float64 {
	if a.log {
		v = math.Log10(v)
	}

	if a.to == a.from {
		return a.start
	}

	return a.start + (a.end-a.start)*(v-a.from)/(a.to-a.from)
}

func (a *axis) tickMarks() []tick {
	marks := make([]tick, 0, len(a.ticks))
	for _, v := range a.ticks {
		marks = append(marks, tick{a.positionOf(v), a.describeTick(v)})
	}

	return marks
}

// newLinearAxis makes an axis from 0 to a round number above the highest value.
func newLinearAxis(highest, start, end float64, describe func(float64) string) *axis {
	const wanted = 5

	step := roundUpNicely(highest / wanted)
	a := &axis{start: start, end: end, describeTick: describe}
	for v := 0.0; ; v += step {
		a.ticks = append(a.ticks, v)
		if v >= highest {
			a.to = v
			return a
		}
	}
}

// roundUpNicely returns the next of 1, 2 and 5 times a power of ten.
func roundUpNicely(v float64) float64 {
	if v <= 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 1
	}

	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, factor := range []float64{1, 2, 5} {
		if v <= factor*power {
			return factor * power
		}
	}

	return 10 * power
}

// newLogAxis makes an axis of the decades that contain two positive values.
func newLogAxis(lowest, highest, start, end float64) *axis {
	a := &axis{
		from:         math.Floor(math.Log10(lowest)),
		to:           math.Ceil(math.Log10(highest)),
		start:        start,
		end:          end,
		log:          true,
		describeTick: FormatMillis,
	}
	if a.to <= a.from {
		a.to = a.from + 1
	}

	for decade := a.from; decade <= a.to; decade++ {
		a.ticks = append(a.ticks, math.Pow(10, decade))
	}

	return a
}

func emptyChart() chart {
	return chart{
		Width:  chartWidth,
		Height: chartHeight,
		Left:   marginLeft,
		Right:  plotRight,
		Top:    marginTop,
		Bottom: plotBottom,
	}
}

// addLine adds a line of points.
func (c *chart) addLine(name, class string, x, y *axis, n int, point func(i int) (x, y float64, title string)) {
	l := line{Name: name, Class: class}
	var path strings.Builder
	for i := range n {
		px, py, title := point(i)
		d := dot{X: x.positionOf(px), Y: y.positionOf(py), Title: title}
		command := byte('L')
		if i == 0 {
			command = 'M'
		}

		path.WriteByte(command)
		path.WriteString(strconv.FormatFloat(d.X, 'f', 1, 64) + " " + strconv.FormatFloat(d.Y, 'f', 1, 64))
		l.Dots = append(l.Dots, d)
	}

	l.Path = path.String()
	c.Lines = append(c.Lines, l)
}

// chartOverTime draws the latencies of every second, and the rate.
func chartOverTime(seconds []Second) chart {
	c := emptyChart()
	c.XTitle = "seconds since the run began"
	c.YTitle = "latency from the scheduled send"
	c.Y2Title = "requests/s"
	lowest := math.Inf(1)
	highest := 0.0
	rate := 0.0
	end := 0.0
	var answered []Second
	for _, s := range seconds {
		rate = max(rate, s.Reached, s.Asked)
		end = max(end, s.At)
		if s.P50 > 0 {
			lowest = min(lowest, s.P50)
			highest = max(highest, s.Max)
			answered = append(answered, s)
		}
	}

	if len(answered) == 0 {
		lowest, highest = 1, 10
	}

	plain := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	x := newLinearAxis(end, marginLeft, plotRight, plain)
	y := newLogAxis(lowest, highest, plotBottom, marginTop)
	y2 := newLinearAxis(rate, plotBottom, marginTop, plain)
	c.X = x.tickMarks()
	c.Y = y.tickMarks()
	c.Y2 = y2.tickMarks()
	c.addLine("rate", "rate", x, y2, len(seconds), func(i int) (float64, float64, string) {
		s := seconds[i]
		return s.At, s.Reached, fmt.Sprintf("%.0f s: %.5g/s sent, %.5g/s asked, %d answered with 2xx, %d others", s.At, s.Reached, s.Asked, s.OK, s.Other)
	})

	for _, l := range []struct {
		name string
		of   func(Second) float64
	}{
		{"p50", func(s Second) float64 { return s.P50 }},
		{"p99", func(s Second) float64 { return s.P99 }},
		{"max", func(s Second) float64 { return s.Max }},
	} {
		c.addLine(l.name, l.name, x, y, len(answered), func(i int) (float64, float64, string) {
			s := answered[i]
			return s.At, l.of(s), fmt.Sprintf("%.0f s: %s %s", s.At, l.name, FormatMillis(l.of(s)))
		})
	}

	return c
}

// boundDistributions returns the range of the latencies, and the largest number of requests in
// a step.
func boundDistributions(steps []Step, of func(*Step) *Latency) (lowest, highest, largestCount float64) {
	lowest = math.Inf(1)
	largestCount = 1
	for i := range steps {
		l := of(&steps[i])
		for _, p := range l.Distribution {
			lowest = min(lowest, p.Millis)
			highest = max(highest, p.Millis)
		}

		largestCount = max(largestCount, float64(l.Count))
	}

	if highest == 0 {
		return 1, 10, largestCount
	}

	return lowest, highest, largestCount
}

// newPercentileAxis makes an axis of percentiles. The position of a percentile p is
// log10(1/(1-p)); the last point stands for the slowest request.
func newPercentileAxis(largestCount float64) *axis {
	nines := math.Ceil(math.Log10(largestCount))
	x := &axis{
		to:    max(nines, 1),
		start: marginLeft,
		end:   plotRight,
		describeTick: func(v float64) string {
			return strconv.FormatFloat(100*(1-math.Pow(10, -v)), 'g', 10, 64) + "%"
		},
	}

	for v := 0.0; v <= x.to; v++ {
		x.ticks = append(x.ticks, v)
	}

	return x
}

// chartDistribution draws percentiles, ever finer to the right, against latencies.
func chartDistribution(steps []Step, of func(*Step) *Latency) chart {
	c := emptyChart()
	c.XTitle = "percentile"
	c.YTitle = "latency"
	lowest, highest, largestCount := boundDistributions(steps, of)
	x := newPercentileAxis(largestCount)
	y := newLogAxis(max(lowest, 0.001), highest, plotBottom, marginTop)
	c.X = x.tickMarks()
	c.Y = y.tickMarks()

	const looks = 6
	for i := range steps {
		l := of(&steps[i])
		if l.Count == 0 {
			continue
		}

		class := fmt.Sprintf("s%d", i%looks)
		slowest := math.Log10(float64(l.Count))
		c.addLine(fmt.Sprintf("%.6g/s", steps[i].AskedRate), class, x, y, len(l.Distribution), func(k int) (float64, float64, string) {
			p := l.Distribution[k]
			at := slowest
			if p.Percentile < 100 {
				at = min(-math.Log10(1-p.Percentile/100), slowest)
			}

			return at, max(p.Millis, 0.001), fmt.Sprintf("%.6g/s: %.8g%% within %s", steps[i].AskedRate, p.Percentile, FormatMillis(p.Millis))
		})
	}

	return c
}
