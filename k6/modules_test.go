package k6_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// fail throws an exception in the script.
func (v *vu) fail(format string, arguments ...any) {
	panic(v.runtime.NewGoError(fmt.Errorf(format, arguments...)))
}

// require is how a bundled script gets at k6's modules. There are no others: remote
// ones least of all.
func (v *vu) require(name string) map[string]any {
	switch name {
	case "k6":
		return map[string]any{"check": v.check}
	case "k6/http":
		return map[string]any{"request": v.request, "expectedStatuses": v.expectedStatuses}
	case "k6/metrics":
		return map[string]any{"Counter": v.counter}
	}
	v.fail("module %q is none that the stand-in for k6 has", name)
	return nil
}

// check runs every check, and tells whether all of them passed.
func (v *vu) check(call goja.FunctionCall) goja.Value {
	value, set, all := call.Argument(0), call.Argument(1).ToObject(v.runtime), true
	for _, name := range set.Keys() {
		result := set.Get(name)
		var thrown error
		if holds, ok := goja.AssertFunction(result); ok {
			result, thrown = holds(goja.Undefined(), value)
		}
		passed := thrown == nil && result.ToBoolean()
		v.run.tally(name, passed)
		if thrown != nil {
			v.fail("check %q threw: %w", name, thrown)
		}
		all = all && passed
	}
	return v.runtime.ToValue(all)
}

func (r *run) tally(name string, passed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := r.checks[name]
	if passed {
		count.passes++
	} else {
		count.fails++
	}
	r.checks[name] = count
}

// counter is the constructor of k6/metrics.
func (v *vu) counter(call goja.ConstructorCall) *goja.Object {
	name := call.Argument(0).String()
	if v.ready {
		v.fail("metric %q is not made in the init code", name)
	}
	v.run.mu.Lock()
	v.run.counters[name] += 0
	v.run.mu.Unlock()
	if err := call.This.Set("add", func(n float64) {
		v.run.mu.Lock()
		defer v.run.mu.Unlock()
		v.run.counters[name] += n
	}); err != nil {
		v.fail("add: %w", err)
	}
	return nil
}

// expected is what http.expectedStatuses makes.
type expected struct{ statuses []int }

func (v *vu) expectedStatuses(statuses ...int) *expected { return &expected{statuses} }

// parameters are the Params of a request.
type parameters struct {
	header   http.Header
	tags     map[string]string
	timeout  time.Duration
	expected *expected
}

func (v *vu) parameters(value goja.Value) parameters {
	p := parameters{header: http.Header{}, tags: map[string]string{}, timeout: time.Minute}
	object := value.ToObject(v.runtime)
	for _, name := range object.Keys() {
		member := object.Get(name)
		switch name {
		case "headers":
			headers := member.ToObject(v.runtime)
			for _, key := range headers.Keys() {
				p.header.Set(key, headers.Get(key).String())
			}
		case "tags":
			tags := member.ToObject(v.runtime)
			for _, key := range tags.Keys() {
				p.tags[key] = tags.Get(key).String()
			}
		case "timeout":
			timeout, err := time.ParseDuration(member.String())
			if err != nil {
				v.fail("timeout: %w", err)
			}
			p.timeout = timeout
		case "responseCallback":
			statuses, ok := member.Export().(*expected)
			if !ok {
				v.fail("responseCallback is not made by http.expectedStatuses")
			}
			p.expected = statuses
		default:
			v.fail("the stand-in knows no parameter %q", name)
		}
	}
	return p
}

// request is http.request. Without an answer it does not throw: the status is 0 and
// the body null, as the documentation of the option "throw" has it.
func (v *vu) request(call goja.FunctionCall) goja.Value {
	if !v.ready {
		v.fail("requests cannot be made in the init code")
	}
	made := request{method: call.Argument(0).String()}
	address := call.Argument(1).String()
	if body := call.Argument(2); !goja.IsNull(body) && !goja.IsUndefined(body) {
		made.body = body.String()
	}
	p := v.parameters(call.Argument(3))
	parsed, err := url.Parse(address)
	if err != nil {
		v.fail("request: %w", err)
	}
	made.path, made.name = parsed.RequestURI(), p.tags["name"]
	status, answer, err := v.run.send(made, address, p)
	made.status = status
	made.failed = status < http.StatusOK || status >= http.StatusBadRequest
	if p.expected != nil {
		made.failed = !slices.Contains(p.expected.statuses, status)
	}
	v.run.mu.Lock()
	v.run.requests = append(v.run.requests, made)
	v.run.mu.Unlock()
	response := map[string]any{"status": status, "body": answer, "error": ""}
	if err != nil {
		response["body"], response["error"] = nil, err.Error()
	}
	return v.runtime.ToValue(response)
}

// send makes the real request.
func (r *run) send(made request, address string, p parameters) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	outgoing, err := http.NewRequestWithContext(ctx, made.method, address, strings.NewReader(made.body))
	if err != nil {
		return 0, "", err
	}
	outgoing.Header = p.header
	response, err := r.client.Do(outgoing)
	if err != nil {
		return 0, "", err
	}
	read, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return 0, "", err
	}
	return response.StatusCode, string(read), nil
}
