package k6_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/dop251/goja"
	"github.com/evanw/esbuild/pkg/api"
	"github.com/stretchr/testify/require"
)

// The stand-in for k6 does what these pages of k6's documentation
// (grafana.com/docs/k6/latest) say, as far as the scripts need it, and refuses the
// rest:
//
//	using-k6/test-lifecycle              init, setup, iterations, teardown, handleSummary
//	using-k6/modules                     which modules there are
//	using-k6/environment-variables       __ENV
//	using-k6/k6-options/reference        options
//	using-k6/scenarios and its executors scenarios, exec
//	using-k6/thresholds                  expressions, tags
//	using-k6/metrics/reference           the built-in metrics
//	using-k6/http-requests               the name tag in place of a URL
//	javascript-api/k6/check              check
//	javascript-api/k6-http/request, params, response, expected-statuses
//	javascript-api/k6-metrics/counter    Counter
//	results-output/end-of-test/custom-summary
//
// What it does not do is time: no rates, no durations, no percentiles.

// scripts are all that a user can run.
func scripts() []string { return []string{"ingest", "batch", "query", "mixed", "soak"} }

// run is a script under the stand-in, and what it did so far. It is safe for
// concurrent use.
type run struct {
	program *goja.Program
	env     map[string]string
	client  *http.Client

	mu       sync.Mutex
	requests []request
	checks   map[string]tally
	counters map[string]float64
}

// request is one that a script made.
type request struct {
	method, path, name, body string
	// status is 0 when there was no answer.
	status int
	// failed is what http_req_failed counts.
	failed bool
}

// tally counts how a check went.
type tally struct{ passes, fails int }

// load bundles a script for a run with these variables. Nothing of it runs yet.
func load(t testing.TB, script string, env map[string]string) *run {
	t.Helper()
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{script + ".js"}, Bundle: true, External: []string{"k6", "k6/*"},
		Format: api.FormatCommonJS, Platform: api.PlatformNeutral, LogLevel: api.LogLevelSilent,
	})
	require.Empty(t, result.Errors)
	require.Empty(t, result.Warnings)
	code := "(function(module, exports, require) {" + string(result.OutputFiles[0].Contents) + "\n})"
	program, err := goja.Compile(script+".js", code, true)
	require.NoError(t, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &run{
		program: program, env: env, client: &http.Client{Transport: transport},
		checks: map[string]tally{}, counters: map[string]float64{},
	}
}

// vu is a virtual user: a runtime of its own, for one goroutine.
type vu struct {
	run     *run
	runtime *goja.Runtime
	exports *goja.Object
	// ready is set after the init code, from which on requests may be made and
	// metrics may not.
	ready bool
}

// user runs the script's init code for a new virtual user.
func (r *run) user() (*vu, error) {
	v := &vu{run: r, runtime: goja.New()}
	if err := v.runtime.Set("__ENV", r.env); err != nil {
		return nil, err
	}
	wrapped, err := v.runtime.RunProgram(r.program)
	if err != nil {
		return nil, err
	}
	initialise, _ := goja.AssertFunction(wrapped)
	module := v.runtime.NewObject()
	exports := v.runtime.NewObject()
	if err = module.Set("exports", exports); err != nil {
		return nil, err
	}
	if _, err = initialise(goja.Undefined(), module, exports, v.runtime.ToValue(v.require)); err != nil {
		return nil, err
	}
	v.exports = module.Get("exports").ToObject(v.runtime)
	v.ready = true
	return v, nil
}

// exported tells whether the script exports a function.
func (v *vu) exported(name string) bool {
	_, ok := goja.AssertFunction(v.exports.Get(name))
	return ok
}

// call calls an exported function. Arguments and result are JSON, as they are when
// k6 hands setup data to virtual users.
func (v *vu) call(name string, arguments ...string) (string, error) {
	function, ok := goja.AssertFunction(v.exports.Get(name))
	if !ok {
		return "", fmt.Errorf("the script exports no function %s", name)
	}
	values := make([]goja.Value, len(arguments))
	for i, text := range arguments {
		var decoded any
		if err := json.Unmarshal([]byte(text), &decoded); err != nil {
			return "", err
		}
		values[i] = v.runtime.ToValue(decoded)
	}
	result, err := function(goja.Undefined(), values...)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	text, err := json.Marshal(result.Export())
	return string(text), err
}

// options returns the script's options as JSON.
func (v *vu) options() (string, error) {
	text, err := json.Marshal(v.exports.Get("options").Export())
	return string(text), err
}

// execute does a whole test: setup, then in every scenario at once some virtual
// users with some iterations each, then teardown. An error is one that k6 would log
// of an iteration, or end the run with.
func (r *run) execute(users, iterations int) error {
	first, err := r.user()
	if err != nil {
		return err
	}
	text, err := first.options()
	if err != nil {
		return err
	}
	options, err := parseOptions(text)
	if err != nil {
		return err
	}
	data := "null"
	if first.exported("setup") {
		if data, err = first.call("setup"); err != nil {
			return err
		}
	}
	failures := make(chan error, len(options.Scenarios)*users)
	var working sync.WaitGroup
	for _, name := range slices.Sorted(maps.Keys(options.Scenarios)) {
		for range users {
			working.Go(func() { failures <- r.iterate(options.Scenarios[name].Exec, data, iterations) })
		}
	}
	working.Wait()
	close(failures)
	for failure := range failures {
		if failure != nil {
			return failure
		}
	}
	if first.exported("teardown") {
		_, err = first.call("teardown", data)
	}
	return err
}

// iterate is the life of one virtual user.
func (r *run) iterate(function, data string, iterations int) error {
	v, err := r.user()
	if err != nil {
		return err
	}
	for range iterations {
		if _, err := v.call(function, data); err != nil {
			return err
		}
	}
	return nil
}

// failedChecks returns the names of the checks that failed at least once.
func (r *run) failedChecks() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(r.checks)) {
		if r.checks[name].fails > 0 {
			names = append(names, name)
		}
	}
	return names
}

// failedRequests returns the requests that http_req_failed counts.
func (r *run) failedRequests() (failed []request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, made := range r.requests {
		if made.failed {
			failed = append(failed, made)
		}
	}
	return failed
}
