package apptest

import (
	"net/http"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// Metrics are the metric families that a service exposes, by name.
type Metrics map[string]*dto.MetricFamily

// Scrape reads the metrics of the service at /metrics, as Prometheus would.
func (s *Service) Scrape(t testing.TB) Metrics {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Ops+"/metrics", http.NoBody)
	require.NoError(t, err)
	response, err := s.HTTP.Do(request)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // it was read

	require.Equal(t, http.StatusOK, response.StatusCode)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(response.Body)
	require.NoError(t, err)
	return families
}

// SumSeries sums the series of a counter or gauge, or the counts of a histogram, that
// have all of the given labels (name, value, name, value...). Without any the sum is 0.
func (m Metrics) SumSeries(name string, labels ...string) float64 {
	sum := 0.0
	family := m[name]
	for _, series := range family.GetMetric() {
		if !hasLabels(series, labels) {
			continue
		}

		sum += series.GetCounter().GetValue() + series.GetGauge().GetValue() + float64(series.GetHistogram().GetSampleCount())
	}

	return sum
}

func hasLabels(series *dto.Metric, labels []string) bool {
	has := map[string]string{}
	for _, pair := range series.GetLabel() {
		has[pair.GetName()] = pair.GetValue()
	}

	for i := 0; i+1 < len(labels); i += 2 {
		if has[labels[i]] != labels[i+1] {
			return false
		}
	}

	return true
}
