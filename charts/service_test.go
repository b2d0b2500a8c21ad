package charts_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// query is a query to Prometheus, and its place.
type query struct {
	where, text string
	// legend has the labels that are shown with the answer, as {{name}}.
	legend string
}

// Every metric and label in a query exists, and every metric is shown.
func TestQueriesAskForWhatAServiceExposes(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", apptest.NewReceiver(t).HTTP) // the exporter reads it itself
	k := exposed(afterTraffic(t))
	used := names{}
	parse := parser.NewParser(parser.Options{})
	records, alerts := readRules(t)
	var wrong []string
	complain := func(where, what string) { wrong = append(wrong, where+": "+what) }
	for _, r := range records {
		expr, err := parse.ParseExpr(r.Expr)
		require.NoError(t, err, r.Record)
		for _, fault := range k.faults(expr, used) {
			complain(r.Record, fault)
		}

		k[r.Record] = metric{labels: k.output(expr), recorded: true}
	}

	clear(used) // a series that is only recorded is not shown
	for _, q := range append(dashboardQueries(t), answeredQueries(t, alerts)...) {
		expr, err := parse.ParseExpr(q.text)
		require.NoError(t, err, "%s: %s", q.where, q.text)
		for _, fault := range k.faults(expr, used) {
			complain(q.where, fault)
		}

		for _, label := range regexp.MustCompile(`\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}`).FindAllStringSubmatch(q.legend, -1) {
			if !k.output(expr)[label[1]] {
				complain(q.where, "the result of "+q.text+" has no label "+label[1])
			}
		}
	}

	for name := range k {
		if !strings.HasPrefix(name, "theeye_") {
			continue
		}

		series := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count"), "_bucket")
		if !used[series] && !used[series+"_bucket"] && !used[series+"_count"] && !used[series+"_sum"] {
			complain(name, "no query uses it")
		}
	}

	require.Empty(t, wrong)
}

// A check that never fails proves nothing.
func TestWrongQueriesAreFound(t *testing.T) {
	t.Parallel()
	counter := dto.MetricType_COUNTER
	gauge := dto.MetricType_GAUGE
	histogram := dto.MetricType_HISTOGRAM
	label := "code"
	value := "a"
	number := 1.0
	bound := 0.1
	labels := []*dto.LabelPair{{Name: &label, Value: &value}}
	k := exposed(map[string]*dto.MetricFamily{
		"c_total":   {Type: &counter, Metric: []*dto.Metric{{Label: labels, Counter: &dto.Counter{Value: &number}}}},
		"g":         {Type: &gauge, Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: &number}}}},
		"h_seconds": {Type: &histogram, Metric: []*dto.Metric{{Histogram: &dto.Histogram{Bucket: []*dto.Bucket{{UpperBound: &bound}}}}}},
	})

	for text, want := range map[string]string{
		`sum by (code, job) (rate(c_total{code="a"}[5m]))`:                  "",
		`histogram_quantile(0.9, sum by (le) (rate(h_seconds_bucket[5m])))`: "",
		`h_seconds_bucket{le="0.1"} / ignoring (le) h_seconds_count`:        "",
		`rate(d_total[5m])`:             `there is no metric "d_total"`,
		`h_seconds`:                     `there is no metric "h_seconds"`,
		`rate(c_total{status="a"}[5m])`: `c_total has no label "status"`,
		`rate(c_total{code="b"}[5m])`:   `nothing matches c_total{code="b"}`,
		`h_seconds_bucket{le="0.2"}`:    `nothing matches h_seconds_bucket{le="0.2"}`,
		`rate(g[5m])`:                   `g is a gauge`,
		`sum by (status) (c_total)`:     `there is no label "status" to group by`,
		`c_total / on (code) g`:         `there is no label "code" on both sides`,
		`histogram_quantile(0.9, sum by (job) (rate(h_seconds_bucket[5m])))`:           `no buckets by le`,
		`histogram_quantile(0.9, sum by (le) (rate(h_seconds_count{job="shop"}[5m])))`: `no buckets by le`,
	} {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		require.NoError(t, err)
		faults := strings.Join(k.faults(expr, names{}), "\n")
		if want == "" {
			require.Empty(t, faults, text)
		} else {
			require.Contains(t, faults, want, text)
		}
	}
}

// dashboardQueries returns the queries of the dashboard with its variables filled in.
func dashboardQueries(t *testing.T) (all []query) {
	t.Helper()
	d := readDashboard(t)
	fill := strings.NewReplacer("$namespace", ".*", "$job", ".*", "$__rate_interval", "1m", "$__range", "1h")
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all = append(all, query{p.Title, fill.Replace(target.Expr), target.LegendFormat})
		}
	}

	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			all = append(all, query{a.Name, fill.Replace(a.Expr), ""})
		}
	}

	for _, v := range d.Templating.List {
		if values := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(v.Definition); values != nil {
			all = append(all, query{v.Name, fill.Replace(values[1]), "{{" + values[2] + "}}"})
		}
	}

	require.Greater(t, len(all), 50)

	return all
}

// answeredQueries returns the queries of the alerts and of the runbook.
func answeredQueries(t *testing.T, alerts []rule) (all []query) {
	t.Helper()
	for _, a := range alerts {
		all = append(all, query{a.Alert, a.Expr, strings.Join(slices.Collect(maps.Values(a.Annotations)), " ")})
	}

	for heading, section := range readRunbook(t) {
		for _, text := range queriesOf(section) {
			all = append(all, query{"runbook, " + heading, text, ""})
		}
	}

	return all
}

// afterTraffic returns the exposition of a service after every kind of traffic: events that it
// stores, rejects and cannot store, requests without a key and over the rate limit, queries.
func afterTraffic(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	s := apptest.Start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "set", "metrics.event_types": "page:view", "database.capacity": "500GiB",
		"http.budget": "1s", "retention.events": "365d", "retention.errors": "90d",
	})

	held := uuid.New()
	id := uuid.New()
	post := func(want int, body string) {
		t.Helper()
		answer := s.Do(t, http.MethodPost, "/v1/events", body)
		require.Equal(t, want, answer.Status, "%s", answer.Body)
	}

	require.Equal(t, http.StatusCreated, s.Do(t, http.MethodPut, "/v1/event-types/page/view", `{"schema":{"required":["path"]},"mode":"observe"}`).Status)
	first := posted(id, held, "view")
	post(http.StatusCreated, first)
	post(http.StatusOK, first) // a duplicate, for which the group needs another attempt
	post(http.StatusConflict, posted(id, held, "click"))
	post(http.StatusBadRequest, `{}`)
	require.Equal(t, http.StatusUnauthorized, s.WithKey("nonsense").Do(t, http.MethodPost, "/v1/events", `{}`).Status)
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodGet, "/v1/events", "").Status)

	tx, err := s.Database.Pool(t).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "select from session where session_id = $1 for update", held)
	require.NoError(t, err)
	post(http.StatusServiceUnavailable, posted(uuid.New(), held, "view"))
	require.NoError(t, tx.Rollback(context.Background()))

	require.Equal(t, http.StatusOK, s.Do(t, http.MethodPatch, "/v1/applications/shop", `{"rate_limit":1}`).Status)
	require.Eventually(t, func() bool {
		return s.Do(t, http.MethodPost, "/v1/events", posted(uuid.New(), uuid.New(), "view")).Status == http.StatusTooManyRequests
	}, 20*time.Second, time.Millisecond)

	families := s.Scrape(t)
	maps.Copy(families, ofEvents(t, s))
	for _, name := range notHere() {
		require.NotContains(t, families, name, "it is exposed, so it is not an exception")
		families[name] = gauge()
	}

	return families
}

// ofEvents returns the metrics of the stored events. A service measures them at its start and
// then rarely, so another service is started.
func ofEvents(t *testing.T, s *apptest.Service) apptest.Metrics {
	t.Helper()
	another := apptest.StartOn(t, s.Database, nil)
	found := apptest.Metrics{}
	require.Eventually(t, func() bool {
		families := another.Scrape(t)
		for _, name := range []string{"theeye_events_oldest_timestamp_seconds", "theeye_events_newest_timestamp_seconds"} {
			if families[name] != nil {
				found[name] = families[name]
			}
		}

		return len(found) == 2
	}, 20*time.Second, 10*time.Millisecond)

	return found
}

// notHere are the metrics that this test cannot expose: growth is known after ten minutes, and
// the program, not the service in it, sets the memory limit.
func notHere() []string {
	return []string{"theeye_database_growth_bytes_per_day", "theeye_database_days_to_full", "go_memory_limit_bytes"}
}

func gauge() *dto.MetricFamily {
	kind, value := dto.MetricType_GAUGE, 1.0
	return &dto.MetricFamily{Type: &kind, Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: &value}}}}
}

func posted(id, session uuid.UUID, name string) string {
	return fmt.Sprintf(`{"event_id":%q,"session_id":%q,"category":"page","name":%q,"data":{},"timestamp":%q}`,
		id, session, name, time.Now().UTC().Format(time.RFC3339Nano))
}
