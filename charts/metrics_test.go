package charts_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/census"
	"github.com/the-eye-events/the-eye/internal/telemetry"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

var _ = flag.Bool("update", false, "rewrite docs/metrics.md")

// metricsPage is the page that lists the metrics.
const metricsPage = "../docs/metrics.md"

// growing is a database that grows by a megabyte with each measurement.
type growing struct{ size int64 }

func (g *growing) ReadStatistics(context.Context, time.Time) (census.Statistics, error) {
	g.size += 1 << 20
	return census.Statistics{Size: g.size}, nil
}

// ofGrowth returns the metrics that are known only after ten minutes.
func ofGrowth(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	made, err := telemetry.New(t.Context(), telemetry.Config{Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, made.Close(context.Background())) })
	now := time.Now()
	taker := census.New(census.Config{Interval: time.Minute, Capacity: 1 << 30}, census.Deps{
		Store:  &growing{},
		Logger: zap.NewNop(),
		Now:    func() time.Time { return now },
	})

	require.NoError(t, taker.RegisterMetrics(made.Meter))
	for range 3 {
		taker.RunRound(t.Context())
		now = now.Add(20 * time.Minute)
	}

	gathered, err := made.Registry().Gather()
	require.NoError(t, err)
	found := map[string]*dto.MetricFamily{}
	for _, family := range gathered {
		if slices.Contains(notHere(), family.GetName()) {
			found[family.GetName()] = family
		}
	}

	return found
}

// docs/metrics.md lists the metrics of a service as it exposes them. `make docs` writes it.
func TestMetricsAreDocumented(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", apptest.NewReceiver(t).HTTP) // the exporter reads it itself
	families := afterTraffic(t)
	maps.Copy(families, ofGrowth(t))
	var linted []*dto.MetricFamily
	for name, family := range families {
		if strings.HasPrefix(name, "theeye_") {
			linted = append(linted, family)
		}
	}

	problems, err := promlint.NewWithMetricFamilies(linted).Lint()
	require.NoError(t, err)
	problems = slices.DeleteFunc(problems, func(p promlint.Problem) bool {
		return p.Metric == "theeye_database_days_to_full" // in days for its readers; no query computes with it
	})

	require.Empty(t, problems)

	page := renderMetrics(linted)
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(metricsPage, []byte(page), 0o600))
	}

	written, err := os.ReadFile(metricsPage)
	require.NoError(t, err)
	require.Equal(t, string(written), page, "run `make docs`")
}

func renderMetrics(families []*dto.MetricFamily) string {
	var b strings.Builder
	b.WriteString(`# Metrics

For operators: what a service exposes at ` + "`/metrics`" + ` on the ops port, and pushes by OTLP under
the same names with dots. ` + "`make docs`" + ` writes this page from a running service; a test keeps it
current. There are also the metrics of the Go runtime (` + "`go_...`, by OpenTelemetry's conventions) and of\nthe process (`process_...`" + `).

Labels are bounded: ` + "`route`" + ` is a pattern, ` + "`application`" + ` is created by administrators, ` + "`code`" + ` is
one of [errors.md](errors.md), and ` + "`category` and `name`" + ` are used only for the types in
` + "`metrics.event_types`" + `. Some metrics appear with the first thing that they count; those of
capacity, of event types and of exports only if the setting is in use; growth after ten minutes.

| metric | type | labels | meaning |
| --- | --- | --- | --- |
`)

	slices.SortFunc(families, func(x, y *dto.MetricFamily) int { return strings.Compare(x.GetName(), y.GetName()) })
	for _, family := range families {
		labels := map[string]bool{}
		for _, series := range family.GetMetric() {
			for _, pair := range series.GetLabel() {
				labels["`"+pair.GetName()+"`"] = true
			}
		}

		var names []string
		for name := range labels {
			names = append(names, name)
		}

		slices.Sort(names)
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", family.GetName(), strings.ToLower(family.GetType().String()), strings.Join(names, ", "), family.GetHelp())
	}

	return b.String()
}
