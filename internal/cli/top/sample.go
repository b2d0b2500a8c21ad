package top

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	validation "github.com/prometheus/common/model"
)

// series is one line of an exposition, or the lines of one histogram.
type series struct {
	labels    map[string]string
	value     float64
	histogram histogram
}

// sample holds the metrics of one replica at one moment: family, then label set.
type sample map[string]map[string]series

// parseMetrics reads an exposition. It keeps only the families of the service and its
// process, and only values that are numbers.
func parseMetrics(from io.Reader) (sample, error) {
	parser := expfmt.NewTextParser(validation.UTF8Validation)
	families, err := parser.TextToMetricFamilies(from)
	if err != nil {
		return nil, fmt.Errorf("the answer is not metrics: %w", err)
	}

	s := sample{}
	for name, family := range families {
		if !strings.HasPrefix(name, "theeye_") && !strings.HasPrefix(name, "process_") {
			continue
		}

		for _, metric := range family.GetMetric() {
			one, ok := seriesOf(metric)
			if !ok {
				continue
			}

			if s[name] == nil {
				s[name] = map[string]series{}
			}

			s[name][keyOf(one.labels)] = one
		}
	}

	return s, nil
}

func seriesOf(metric *dto.Metric) (series, bool) {
	one := series{labels: map[string]string{}}
	for _, pair := range metric.GetLabel() {
		one.labels[pair.GetName()] = pair.GetValue()
	}

	switch {
	case metric.GetHistogram() != nil:
		one.histogram = histogramOf(metric.GetHistogram())
		return one, len(one.histogram.buckets) > 0
	case metric.GetCounter() != nil:
		one.value = metric.GetCounter().GetValue()
	case metric.GetGauge() != nil:
		one.value = metric.GetGauge().GetValue()
	case metric.GetUntyped() != nil:
		one.value = metric.GetUntyped().GetValue()
	default:
		return one, false
	}

	return one, !math.IsNaN(one.value) && !math.IsInf(one.value, 0)
}

// keyOf returns a key of a label set; no label holds the byte 0xff, which is not UTF-8.
func keyOf(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(name + "\xff" + labels[name] + "\xff")
	}

	return b.String()
}

// matchLabels reports whether labels have the values of pairs: name, value, name, value.
func matchLabels(labels map[string]string, pairs []string) bool {
	for i := 0; i+1 < len(pairs); i += 2 {
		if labels[pairs[i]] != pairs[i+1] {
			return false
		}
	}

	return true
}

// unknown is the value of a number that was not exposed.
func unknown() float64 { return math.NaN() }

// isKnown reports whether a number was exposed.
func isKnown(v float64) bool { return !math.IsNaN(v) }

// foldGauge folds the values of a family over all series that match, of all replicas.
func foldGauge(samples []sample, fold func(a, b float64) float64, name string, pairs ...string) float64 {
	folded := unknown()
	for _, s := range samples {
		for _, one := range s[name] {
			switch {
			case !matchLabels(one.labels, pairs):
			case !isKnown(folded):
				folded = one.value
			default:
				folded = fold(folded, one.value)
			}
		}
	}

	return folded
}

// sum folds numbers that each replica has for itself; largest and smallest fold the replicas'
// reports of the same thing, of which the worst counts.
func sum(a, b float64) float64      { return a + b }
func largest(a, b float64) float64  { return max(a, b) }
func smallest(a, b float64) float64 { return min(a, b) }

// valuesOf lists the values of a label in a family, in order.
func valuesOf(samples []sample, name, label string) []string {
	found := map[string]bool{}
	for _, s := range samples {
		for _, one := range s[name] {
			found[one.labels[label]] = true
		}
	}

	return slices.Sorted(maps.Keys(found))
}
