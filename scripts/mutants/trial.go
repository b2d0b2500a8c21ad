package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// trial plants mutants into the module at root. dir is the folder for the builds.
type trial struct{ root, dir string }

// result is the result of a mutant.
type result struct {
	name, title string
	test, chaos verdict
}

// verdict says whether a mutant was found, and what was seen.
type verdict struct {
	found bool
	saw   string
}

func (v verdict) String() string {
	if v.found {
		return v.saw
	}

	return "NOT FOUND: " + v.saw
}

// runControl checks that the tests and the chaos runs find nothing when no bug is planted.
func (t *trial) runControl(ctx context.Context, all []mutant) error {
	printProgress("control: the tests and the faults of all mutants, without a bug")
	tests := map[string][]string{}
	var faults []string
	for i := range all {
		m := &all[i]
		tests[m.pkg] = append(tests[m.pkg], m.test)
		if !slices.Contains(faults, m.faults) {
			faults = append(faults, m.faults)
		}
	}

	for pkg, names := range tests {
		if out, err := t.goTool(ctx, "test", "-count=1", "-run", "^("+strings.Join(names, "|")+")$", pkg); err != nil {
			return fmt.Errorf("the tests of %s fail without a bug: %w\n%s", pkg, err, out)
		}
	}

	if out, err := t.goTool(ctx, "-C", "eyeload", "build", "-o", t.pathOf("eyeload"), "./cmd/eyeload"); err != nil {
		return fmt.Errorf("build the chaos run: %w\n%s", err, out)
	}

	if out, err := t.goTool(ctx, "build", "-o", t.pathOf("theeye"), "./cmd/theeye"); err != nil {
		return fmt.Errorf("build the service: %w\n%s", err, out)
	}

	v, err := t.runChaos(ctx, "control", t.pathOf("theeye"), fmt.Sprint(len(faults)), strings.Join(faults, ","))
	if err == nil && v.found {
		err = errors.New("the chaos run finds something without a bug: " + v.saw)
	}

	return err
}

// tryMutant plants a mutant and runs the test and the chaos run. An error means that it could
// not be tried.
func (t *trial) tryMutant(ctx context.Context, m *mutant) (r result, err error) {
	r = result{name: m.name, title: m.title}
	dir := t.pathOf(m.name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return r, fmt.Errorf("make a folder: %w", err)
	}

	list, err := m.writeOverlay(t.root, dir)
	if err != nil {
		return r, err
	}

	program := filepath.Join(dir, "theeye")
	if out, err := t.goTool(ctx, "build", "-overlay", list, "-o", program, "./cmd/theeye"); err != nil {
		return r, fmt.Errorf("%s cannot be built: %w\n%s", m.name, err, out)
	}

	if r.test, err = t.runTest(ctx, m, list); err != nil {
		return r, err
	}

	r.chaos, err = t.runChaos(ctx, m.name, program, m.cycles, m.faults)

	return r, err
}

// runTest runs the test of the package with the bug.
func (t *trial) runTest(ctx context.Context, m *mutant, list string) (verdict, error) {
	out, err := t.goTool(ctx, "test", "-count=1", "-overlay", list, "-run", "^"+m.test+"$", m.pkg)
	switch {
	case err == nil:
		return verdict{saw: m.test + " passes"}, nil
	case strings.Contains(out, "--- FAIL: "+m.test):
		return verdict{found: true, saw: m.test}, nil
	}

	return verdict{}, fmt.Errorf("%s: the test did not run: %w\n%s", m.name, err, out)
}

// runChaos runs the faults against a program.
func (t *trial) runChaos(ctx context.Context, name, program, cycles, faults string) (verdict, error) {
	dir := t.pathOf(name + "-chaos")
	run := exec.CommandContext(ctx, t.pathOf("eyeload"), "chaos", "--service", program, "--cycles", cycles, "--only", faults, "--report", dir) //nolint:gosec // a program that was built here
	run.Dir = t.root
	var errOut bytes.Buffer
	run.Stderr = &errOut
	err := run.Run()
	text, unread := os.ReadFile(filepath.Join(dir, "report.json")) //nolint:gosec // a file in the folder of the trial
	if unread != nil {
		return verdict{}, fmt.Errorf("%s: the chaos run has no report: %w\n%s", name, errors.Join(err, unread), errOut.String())
	}

	var r chaosReport
	if failed := json.Unmarshal(text, &r); failed != nil {
		return verdict{}, fmt.Errorf("%s: read the report of the chaos run: %w", name, failed)
	}

	if len(r.Wholes) == 0 || r.Stopped {
		return verdict{}, fmt.Errorf("%s: the chaos run did not finish: %w\n%s", name, err, errOut.String())
	}

	v := r.buildVerdict()
	if v.found != (err != nil) {
		return verdict{}, fmt.Errorf("%s: the chaos run ended with %w, and its report says %s", name, err, v)
	}

	return v, nil
}

// chaosReport is the part of the chaos run's report that is needed here.
type chaosReport struct {
	Cycles []struct {
		Reconciliation reconciliation `json:"reconciliation"`
		Breaches       []string       `json:"breaches"`
	} `json:"cycles"`
	Wholes []struct {
		Tables reconciliation `json:"tables"`
		API    reconciliation `json:"api"`
	} `json:"wholes"`
	Breaches []string `json:"breaches"`
	Stopped  bool     `json:"stopped"`
}

type reconciliation struct {
	Acknowledged int64    `json:"acknowledged"`
	Lost         int64    `json:"lost"`
	Duplicated   int64    `json:"duplicated"`
	Gaps         int64    `json:"gaps"`
	Differences  int64    `json:"differences"`
	List         []string `json:"list"`
}

// buildVerdict sums up the report, with the first of its sentences without the id.
func (r *chaosReport) buildVerdict() verdict {
	var total reconciliation
	for _, w := range r.Wholes {
		total.Acknowledged += w.Tables.Acknowledged
		total.Lost += w.Tables.Lost
		total.Duplicated += w.Tables.Duplicated
		total.Gaps += w.Tables.Gaps
		total.Differences += w.Tables.Differences + w.API.Differences
		total.List = append(total.List, w.Tables.List...)
	}

	breaches := slices.Clone(r.Breaches)
	for _, c := range r.Cycles {
		total.List = append(total.List, c.Reconciliation.List...)
		breaches = append(breaches, c.Breaches...)
		total.Differences += c.Reconciliation.Differences
	}

	saw := fmt.Sprintf("%d lost, %d doubled, %d gaps of %d", total.Lost, total.Duplicated, total.Gaps, total.Acknowledged)
	if all := slices.Concat(total.List, breaches); len(all) > 0 {
		const enough = 90
		saw += ": " + abbreviateSentence(all[0], enough)
	}

	return verdict{found: total.Differences > 0 || len(breaches) > 0, saw: saw}
}

// abbreviateSentence removes the id at the beginning of a sentence, and shortens the rest.
func abbreviateSentence(sentence string, enough int) string {
	if _, rest, found := strings.Cut(sentence, ": "); found {
		sentence = rest
	}

	if len(sentence) > enough {
		return sentence[:enough] + " ..."
	}

	return sentence
}

func (t *trial) pathOf(name string) string { return filepath.Join(t.dir, name) }

// goTool runs the go command in the module.
func (t *trial) goTool(ctx context.Context, arguments ...string) (string, error) {
	run := exec.CommandContext(ctx, "go", arguments...) //nolint:gosec // the Go installation of the user
	run.Dir = t.root
	out, err := run.CombinedOutput()

	return string(out), err
}
