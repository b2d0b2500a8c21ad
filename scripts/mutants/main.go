package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
)

// folder contains the mutants, below the root of the module.
const folder = "scripts/mutants/planted"

// errSurvived means that a mutant was not found.
var errSurvived = errors.New("not every mutant was found")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := runMutants(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1) //nolint:forbidigo // the one place that ends this program
	}
}

// runMutants plants the selected mutants, one at a time, and prints what found them.
func runMutants(ctx context.Context, names []string) error {
	root, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the module: %w", err)
	}

	all, err := readMutants(filepath.Join(root, folder), names)
	if err != nil {
		return err
	}

	for i := range all { // fail before an hour is spent on the others
		if _, err := all[i].plantedSource(root); err != nil {
			return err
		}
	}

	dir, err := os.MkdirTemp("", "theeye-mutants-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // leftovers in a temporary folder are harmless

	t := &trial{root: root, dir: dir}

	if err := t.runControl(ctx, all); err != nil {
		return err
	}

	results := make([]result, 0, len(all))
	for i := range all {
		r, err := t.tryMutant(ctx, &all[i])
		if err != nil {
			return err
		}

		printProgress("%s: %s: test: %s; chaos: %s", r.name, r.title, r.test, r.chaos)
		results = append(results, r)
	}

	return printResults(results)
}

// printResults prints the table. A mutant that survived the test or the chaos run is an error.
func printResults(results []result) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nmutant\tbug\tfound by the test\tfound by chaos") //nolint:errcheck // Flush reports a failed write
	var survived []string
	for _, r := range results {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.name, r.title, r.test, r.chaos) //nolint:errcheck // as above
		if !r.test.found || !r.chaos.found {
			survived = append(survived, r.name)
		}
	}

	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}

	if len(survived) > 0 {
		return fmt.Errorf("%w: %s", errSurvived, strings.Join(slices.Compact(survived), ", "))
	}

	return nil
}

func printProgress(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
}
