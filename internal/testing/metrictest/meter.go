package metrictest

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/otlptranslator"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
)

// Meter is a meter of the SDK. It is safe for concurrent use.
type Meter struct {
	metric.Meter

	registry *prometheus.Registry
}

// New returns a meter that is exposed with the options of the service.
func New(t testing.TB) *Meter {
	t.Helper()
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(
		exporter.WithRegisterer(registry),
		exporter.WithoutScopeInfo(),
		exporter.WithoutTargetInfo(),
		exporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
	)
	if err != nil {
		t.Fatalf("metrictest: %v", err)
	}

	return &Meter{Meter: sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("test"), registry: registry}
}

// Scrape returns the result of a scrape: the values by name and labels, such as
// `theeye_partitions{table="event"}`. It includes counters and gauges, not histograms.
func (m *Meter) Scrape(t testing.TB) map[string]float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatalf("metrictest: %v", err)
	}

	series := map[string]float64{}
	for _, family := range families {
		for _, point := range family.GetMetric() {
			var labels []string
			for _, label := range point.GetLabel() {
				labels = append(labels, label.GetName()+`="`+label.GetValue()+`"`)
			}

			name := family.GetName()
			if labels != nil {
				name += "{" + strings.Join(labels, ",") + "}"
			}

			switch {
			case point.GetCounter() != nil:
				series[name] = point.GetCounter().GetValue()
			case point.GetGauge() != nil:
				series[name] = point.GetGauge().GetValue()
			}
		}
	}

	return series
}

// Families returns the names in a scrape, each followed by its type, such as
// "theeye_partitions gauge". It fails the test unless the help of each is a sentence
// without a full stop.
func (m *Meter) Families(t testing.TB) []string {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatalf("metrictest: %v", err)
	}

	var names []string
	for _, family := range families {
		if about := family.GetHelp(); about == "" || strings.HasSuffix(about, ".") || strings.ToUpper(about[:1]) != about[:1] {
			t.Errorf("metrictest: %s is described as %q", family.GetName(), about)
		}

		names = append(names, family.GetName()+" "+strings.ToLower(family.GetType().String()))
	}

	slices.Sort(names)
	return names
}
