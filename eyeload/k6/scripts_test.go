package k6_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"
	"github.com/evanw/esbuild/pkg/api"
	"github.com/stretchr/testify/require"
)

// scripts are the scripts that a user can run.
func scripts() []string { return []string{"ingest", "batch", "query", "mixed", "soak"} }

// bundleScript parses a script with its imports. A name that a module does not export is an
// error, and so is a module that is neither here nor one of k6's.
func bundleScript(t *testing.T, script string) string {
	t.Helper()
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{script + ".js"},
		Bundle:      true,
		External:    []string{"k6", "k6/http", "k6/metrics"},
		Format:      api.FormatCommonJS,
		Platform:    api.PlatformNeutral,
		LogLevel:    api.LogLevelSilent,
	})
	require.Empty(t, result.Errors)
	require.Empty(t, result.Warnings)

	return string(result.OutputFiles[0].Contents)
}

// initScript runs the code outside of a script's functions, and returns its exports. The
// imports from k6 do nothing here.
func initScript(t *testing.T, script string, env map[string]string) (*goja.Runtime, *goja.Object, error) {
	t.Helper()
	const wrapper = `(function(code) {
		const module = { exports: {} };
		const k6 = { check() {}, request() {}, expectedStatuses() {}, Counter: function() {} };
		new Function('module', 'exports', 'require', code)(module, module.exports, () => k6);
		return module.exports;
	})`

	runtime := goja.New()
	require.NoError(t, runtime.Set("__ENV", env))
	value, err := runtime.RunString(wrapper)
	require.NoError(t, err)

	function, _ := goja.AssertFunction(value)
	exports, err := function(goja.Undefined(), runtime.ToValue(bundleScript(t, script)))
	if err != nil {
		return nil, nil, err
	}

	return runtime, exports.ToObject(runtime), nil
}

// variables are the variables that a script requires, and more.
func variables(more map[string]string) map[string]string {
	all := map[string]string{"THEEYE_INGEST_KEY": "an ingest key", "THEEYE_READ_KEY": "a read key"}
	maps.Copy(all, more)

	return all
}

// options are the options of k6 that the scripts set.
type options struct {
	Scenarios  map[string]scenario `json:"scenarios"`
	Thresholds map[string][]string `json:"thresholds"`
	Trends     []string            `json:"summaryTrendStats"` //nolint:tagliatelle // k6's name
}

// scenario is a scenario with an arrival-rate executor.
type scenario struct {
	Executor string `json:"executor"`
	Exec     string `json:"exec"`
	TimeUnit string `json:"timeUnit"` //nolint:tagliatelle // k6's name
	Duration string `json:"duration"`
	Rate     int    `json:"rate"`
	VUs      int    `json:"preAllocatedVUs"` //nolint:tagliatelle // k6's name
	MaxVUs   int    `json:"maxVUs"`          //nolint:tagliatelle // k6's name
}

// readOptions returns the options of a script, all of which have to be known here.
func readOptions(t *testing.T, script string, env map[string]string) (options, *goja.Object) {
	t.Helper()
	_, exports, err := initScript(t, script, env)
	require.NoError(t, err, script)

	text, err := json.Marshal(exports.Get("options").Export())
	require.NoError(t, err)

	var o options
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&o), script)

	return o, exports
}

func requireDuration(t *testing.T, text string) {
	t.Helper()
	d, err := time.ParseDuration(text)
	require.NoError(t, err)
	require.GreaterOrEqual(t, d, time.Second)
}

// Wrong options would end a run at its start, or be ignored.
func TestOptionsCanBeRun(t *testing.T) {
	t.Parallel()
	for _, script := range scripts() {
		o, exports := readOptions(t, script, variables(nil))
		_, summarises := goja.AssertFunction(exports.Get("handleSummary"))
		require.True(t, summarises, script)
		require.Contains(t, o.Trends, "p(99)", script)
		require.NotEmpty(t, o.Scenarios, script)

		for name, s := range o.Scenarios {
			require.Equal(t, "constant-arrival-rate", s.Executor, "%s: %s", script, name)

			_, exported := goja.AssertFunction(exports.Get(s.Exec))
			require.True(t, exported, "%s: %s", script, s.Exec)
			require.Positive(t, s.Rate)
			require.Positive(t, s.VUs)
			require.GreaterOrEqual(t, s.MaxVUs, s.VUs)
			requireDuration(t, s.TimeUnit)
			requireDuration(t, s.Duration)
		}
	}
}

func TestARunFailsForOneFailureOneDropOrASlowHundredth(t *testing.T) {
	t.Parallel()
	questions := []string{"timeline", "pages", "sessions", "session", "event"}
	for script, names := range map[string][]string{
		"ingest": {"ingest"},
		"batch":  {"batch"},
		"soak":   {"ingest", "resend"},
		"query":  questions,
		"mixed":  append([]string{"ingest", "batch"}, questions...),
	} {
		o, _ := readOptions(t, script, variables(map[string]string{"P99_MS": "123", "QUERY_P99_MS": "456"}))
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
	o, _ := readOptions(t, "mixed", variables(map[string]string{
		"RATE": "70", "DURATION": "90s", "BATCH": "20", "VUS": "7", "QUERY_RATE": "3", "QUERY_VUS": "2",
	}))
	one := scenario{Executor: "constant-arrival-rate", Exec: "ingest", TimeUnit: "1s", Duration: "90s", Rate: 70, VUs: 7, MaxVUs: 7}
	require.Equal(t, one, o.Scenarios["ingest"])

	many := one
	many.Exec = "batch"
	many.TimeUnit = "20s" // 70 batches of 20 events in 20 seconds are 70 events a second
	require.Equal(t, many, o.Scenarios["batch"])

	asked := scenario{Executor: "constant-arrival-rate", Exec: "byId", TimeUnit: "1s", Duration: "90s", Rate: 3, VUs: 2, MaxVUs: 2}
	require.Equal(t, asked, o.Scenarios["by_id"])
}

func TestWhatIsMissingOrWrongIsNamed(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"BATCH": "0", "RATE": "1.5", "P99_MS": "fast", "SESSIONS": "-1"} {
		_, _, err := initScript(t, "mixed", variables(map[string]string{name: value}))
		require.ErrorContains(t, err, name+" is a whole number")
	}

	_, _, err := initScript(t, "ingest", map[string]string{"THEEYE_INGEST_KEY": "an ingest key"})
	require.NoError(t, err, "a key that may only send is enough to send")

	_, _, err = initScript(t, "query", nil)
	require.ErrorContains(t, err, "set THEEYE_INGEST_KEY and THEEYE_READ_KEY")
}

func TestTheDocumentNamesEveryVariable(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join("lib", "config.js"))
	require.NoError(t, err)
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "k6.md"))
	require.NoError(t, err)

	_, section, found := strings.Cut(string(document), "## Variables\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")

	var used, documented []string
	for _, match := range regexp.MustCompile(`(?:text|whole)\('([A-Z0-9_]+)'`).FindAllStringSubmatch(string(source), -1) {
		used = append(used, match[1])
	}

	for row := range strings.Lines(section) {
		if cells := strings.Split(row, "|"); len(cells) > 1 {
			for _, match := range regexp.MustCompile("`([A-Z0-9_]+)`").FindAllStringSubmatch(cells[1], -1) {
				documented = append(documented, match[1])
			}
		}
	}

	require.NotEmpty(t, used)
	require.ElementsMatch(t, used, documented)
}
