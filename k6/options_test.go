package k6_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// options are those of k6's options that the scripts set. Members are matched
// without regard to case.
type options struct {
	Scenarios         map[string]scenario
	Thresholds        map[string][]string
	SummaryTrendStats []string
}

// scenario is one with an arrival-rate executor.
type scenario struct {
	Executor, Exec          string
	TimeUnit, Duration      string
	Rate                    int
	PreAllocatedVUs, MaxVUs int
}

// parseOptions refuses options that are not known.
func parseOptions(text string) (options, error) {
	var o options
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		return o, fmt.Errorf("options %s: %w", text, err)
	}
	return o, nil
}

// executors of k6 1.0 and newer; version 2 has no externally-controlled any more.
func executors() []string {
	return []string{
		"shared-iterations", "per-vu-iterations", "constant-vus", "ramping-vus",
		"constant-arrival-rate", "ramping-arrival-rate",
	}
}

// builtIn are the built-in metrics of every run with HTTP, with their types.
func builtIn() map[string]string {
	return map[string]string{
		"checks": "rate", "http_req_failed": "rate",
		"data_received": "counter", "data_sent": "counter", "dropped_iterations": "counter", "iterations": "counter", "http_reqs": "counter",
		"vus": "gauge", "vus_max": "gauge",
		"iteration_duration": "trend", "http_req_blocked": "trend", "http_req_connecting": "trend", "http_req_duration": "trend",
		"http_req_receiving": "trend", "http_req_sending": "trend", "http_req_tls_handshaking": "trend", "http_req_waiting": "trend",
	}
}

// methods are what a threshold can be about, by type of metric.
func methods() map[string]string {
	return map[string]string{
		"counter": `count|rate`, "gauge": `value`, "rate": `rate`, "trend": `avg|min|max|med|p\((?:100|\d{1,2})(?:\.\d+)?\)`,
	}
}

// complaints returns what k6 would refuse in a script's options, or run without the
// script's author noticing.
func complaints(o options, functions func(string) bool) (found []string) {
	complain := func(format string, arguments ...any) { found = append(found, fmt.Sprintf(format, arguments...)) }
	for name, s := range o.Scenarios {
		if !slices.Contains(executors(), s.Executor) {
			complain("scenario %s: no executor %q", name, s.Executor)
		}
		if !functions(s.Exec) {
			complain("scenario %s: no function %q is exported", name, s.Exec)
		}
		if s.Rate < 1 || s.PreAllocatedVUs < 1 || s.MaxVUs < s.PreAllocatedVUs {
			complain("scenario %s: %+v cannot be run", name, s)
		}
		for _, text := range []string{s.TimeUnit, s.Duration} {
			if d, err := time.ParseDuration(text); err != nil || d < time.Second {
				complain("scenario %s: %q is no duration of a second or more", name, text)
			}
		}
	}
	key := regexp.MustCompile(`^([a-z_0-9]+)(?:\{[a-z_]+:[a-z_A-Z0-9]+\})?$`)
	for name, expressions := range o.Thresholds {
		parts := key.FindStringSubmatch(name)
		if parts == nil || builtIn()[parts[1]] == "" {
			complain("threshold of %s: no such metric", name)
			continue
		}
		valid := regexp.MustCompile(`^(?:` + methods()[builtIn()[parts[1]]] + `)\s*(?:>=|<=|===|==|!=|>|<)\s*\d+(?:\.\d+)?$`)
		for _, expression := range expressions {
			if !valid.MatchString(expression) {
				complain("threshold of %s: %q is no expression for a %s", name, expression, builtIn()[parts[1]])
			}
		}
	}
	for _, stat := range o.SummaryTrendStats {
		if stat != "count" && !regexp.MustCompile(`^(?:`+methods()["trend"]+`)$`).MatchString(stat) {
			complain("no statistic %q", stat)
		}
	}
	return found
}

// variables are what a script needs to begin at all, and more.
func variables(more map[string]string) map[string]string {
	all := map[string]string{"THEEYE_INGEST_KEY": "an ingest key", "THEEYE_READ_KEY": "a read key"}
	maps.Copy(all, more)
	return all
}

// optionsOf returns a script's options, or why its init code failed.
func optionsOf(t *testing.T, script string, env map[string]string) (options, *vu, error) {
	t.Helper()
	v, err := load(t, script, env).user()
	if err != nil {
		return options{}, nil, err
	}
	text, err := v.options()
	require.NoError(t, err)
	o, err := parseOptions(text)
	return o, v, err
}

func TestOptionsAreThoseThatK6Knows(t *testing.T) {
	t.Parallel()
	for _, script := range scripts() {
		o, v, err := optionsOf(t, script, variables(nil))
		require.NoError(t, err, script)
		require.NotEmpty(t, o.Scenarios, script)
		require.Empty(t, complaints(o, v.exported), script)
		require.True(t, v.exported("handleSummary"), script)
		require.Contains(t, o.SummaryTrendStats, "p(99)", script)
		for name, s := range o.Scenarios {
			require.Equal(t, "constant-arrival-rate", s.Executor, "%s: %s", script, name)
		}
	}
}

// A judge who never complains proves nothing.
func TestWrongOptionsAreFound(t *testing.T) {
	t.Parallel()
	const good = `"executor":"constant-arrival-rate","exec":"f","rate":1,"timeUnit":"1s","duration":"1s","preAllocatedVUs":1,"maxVUs":1`
	for text, want := range map[string]int{
		`{"scenarios":{"a":{` + good + `}},"thresholds":{"checks":["rate==1"]},"summaryTrendStats":["p(99)"]}`: 0,
		`{"scenarios":{"a":{` + strings.Replace(good, "constant", "steady", 1) + `}}}`:                         1,
		`{"scenarios":{"a":{` + strings.Replace(good, `"f"`, `"g"`, 1) + `}}}`:                                 1,
		`{"scenarios":{"a":{` + strings.Replace(good, `"rate":1`, `"rate":0`, 1) + `}}}`:                       1,
		`{"scenarios":{"a":{` + strings.Replace(good, `"timeUnit":"1s"`, `"timeUnit":"1"`, 1) + `}}}`:          1,
		`{"thresholds":{"check":["rate==1"]}}`:                                                                 1,
		`{"thresholds":{"checks":["rate=1"]}}`:                                                                 1,
		`{"thresholds":{"checks":["count==1"]}}`:                                                               1,
		`{"thresholds":{"http_req_duration":["p(101)<1"]}}`:                                                    1,
		`{"thresholds":{"http_req_duration{name}":["p(99)<1"]}}`:                                               1,
		`{"summaryTrendStats":["p99"]}`:                                                                        1,
	} {
		o, err := parseOptions(text)
		require.NoError(t, err, text)
		require.Len(t, complaints(o, func(name string) bool { return name == "f" }), want, text)
	}
	_, err := parseOptions(`{"treshold":{}}`)
	require.Error(t, err)
}

func TestARunFailsForOneFailureOneDropOrASlowHundredth(t *testing.T) {
	t.Parallel()
	questions := []string{"timeline", "pages", "sessions", "session", "event"}
	for script, names := range map[string][]string{
		"ingest": {"ingest"}, "batch": {"batch"}, "soak": {"ingest", "resend"}, "query": questions,
		"mixed": append([]string{"ingest", "batch"}, questions...),
	} {
		o, _, err := optionsOf(t, script, variables(map[string]string{"P99_MS": "123", "QUERY_P99_MS": "456"}))
		require.NoError(t, err, script)
		want := map[string][]string{"http_req_failed": {"rate==0"}, "checks": {"rate==1"}, "dropped_iterations": {"count==0"}}
		for _, name := range names {
			want["http_reqs{name:"+name+"}"] = []string{"count>0"}
			want["http_req_duration{name:"+name+"}"] = []string{"p(99)<123"}
			if slices.Contains(questions, name) {
				want["http_req_duration{name:"+name+"}"] = []string{"p(99)<456"}
			}
		}
		require.Equal(t, want, o.Thresholds, script)
	}
}

func TestVariablesSetThePace(t *testing.T) {
	t.Parallel()
	env := variables(map[string]string{"RATE": "70", "DURATION": "90s", "BATCH": "20", "VUS": "7", "QUERY_RATE": "3", "QUERY_VUS": "2"})
	one := scenario{Executor: "constant-arrival-rate", Rate: 70, TimeUnit: "1s", Duration: "90s", PreAllocatedVUs: 7, MaxVUs: 7}
	asked := scenario{Executor: "constant-arrival-rate", Rate: 3, TimeUnit: "1s", Duration: "90s", PreAllocatedVUs: 2, MaxVUs: 2}
	many := one
	many.TimeUnit = "20s" // 70 batches of 20 events in 20 seconds are 70 events a second
	calling := func(s scenario, function string) scenario {
		s.Exec = function
		return s
	}
	questions := map[string]scenario{
		"timelines": calling(asked, "timelines"), "pages": calling(asked, "pages"),
		"sessions": calling(asked, "sessions"), "by_id": calling(asked, "byId"),
	}
	mixed := map[string]scenario{"ingest": calling(one, "ingest"), "batch": calling(many, "batch")}
	maps.Copy(mixed, questions)
	for script, want := range map[string]map[string]scenario{
		"ingest": {"ingest": calling(one, "ingest")}, "batch": {"batch": calling(many, "batch")},
		"soak": {"soak": calling(one, "soak")}, "query": questions, "mixed": mixed,
	} {
		o, _, err := optionsOf(t, script, env)
		require.NoError(t, err, script)
		require.Equal(t, want, o.Scenarios, script)
	}
}

func TestWhatIsMissingOrWrongIsNamed(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"BATCH": "0", "RATE": "1.5", "P99_MS": "fast", "SESSIONS": "-1"} {
		_, _, err := optionsOf(t, "mixed", variables(map[string]string{name: value}))
		require.ErrorContains(t, err, name+" is a whole number")
	}
	_, _, err := optionsOf(t, "ingest", map[string]string{"THEEYE_INGEST_KEY": "an ingest key"})
	require.NoError(t, err, "one who may only send can send")
	_, _, err = optionsOf(t, "query", nil)
	require.ErrorContains(t, err, "set THEEYE_INGEST_KEY and THEEYE_READ_KEY")
}

func TestTheDocumentNamesEveryVariable(t *testing.T) {
	t.Parallel()
	read, err := os.ReadFile(filepath.Join("lib", "config.js"))
	require.NoError(t, err)
	document, err := os.ReadFile(filepath.Join("..", "docs", "k6.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(document), "## Variables\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var used, told []string
	for _, match := range regexp.MustCompile(`(?:text|whole)\('([A-Z0-9_]+)'`).FindAllStringSubmatch(string(read), -1) {
		used = append(used, match[1])
	}
	for row := range strings.Lines(section) {
		if cells := strings.Split(row, "|"); len(cells) > 1 {
			for _, match := range regexp.MustCompile("`([A-Z0-9_]+)`").FindAllStringSubmatch(cells[1], -1) {
				told = append(told, match[1])
			}
		}
	}
	require.NotEmpty(t, used)
	require.ElementsMatch(t, used, told)
}
