package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/cli/plan"
	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// applyFlags are the flags of the commands that compare a plan with the registry.
type applyFlags struct {
	planSource

	prune  bool
	dry    bool
	inJSON bool
}

func newTypeApply() *cobra.Command {
	var flags applyFlags
	cmd := newEventTypeCommand("apply -f PLAN", "Apply a plan to the registry: all of it, or nothing when any part is wrong", cobra.NoArgs,
		func(cmd *cobra.Command, t cli.EventTypes, _ []string) error {
			_, err := applyPlan(cmd, t, flags)
			return err
		})
	flags.bindFlags(cmd)
	cmd.Flags().BoolVar(&flags.dry, "dry-run", false, "Print the changes and make none")
	cmd.Flags().BoolVar(&flags.prune, "prune", false, "Delete the types that are not in the plan")
	bindJSON(cmd, &flags.inJSON)
	return cmd
}

func newTypeDiff() *cobra.Command {
	flags := applyFlags{dry: true}
	cmd := newEventTypeCommand("diff -f PLAN", "Show what apply would change; exits with 0 without a difference and with 1 with one", cobra.NoArgs,
		func(cmd *cobra.Command, t cli.EventTypes, _ []string) error {
			changed, err := applyPlan(cmd, t, flags)
			if err == nil && changed > 0 {
				return fmt.Errorf("event types that differ: %d", changed)
			}

			return err
		})
	flags.bindFlags(cmd)
	cmd.Flags().BoolVar(&flags.prune, "prune", false, "Count the types that are not in the plan as differences")
	bindJSON(cmd, &flags.inJSON)
	return cmd
}

// typeChange is the outcome of a plan for one type. Before and After are as the API shows a
// type; null if there is none.
type typeChange struct {
	eventtype.Key

	Outcome eventtype.Outcome `json:"outcome"`
	Before  *eventtype.Type   `json:"before"`
	After   *eventtype.Type   `json:"after"`
}

// applyPlan applies a plan to the registry, prints the changes and counts them.
func applyPlan(cmd *cobra.Command, t cli.EventTypes, flags applyFlags) (changed int, err error) {
	wanted, err := flags.readPlan(cmd)
	if err != nil {
		return 0, err
	}

	results, err := t.ApplyChanges(cmd.Context(), wanted.Changes(), flags.prune, flags.dry)
	if err != nil {
		return 0, err
	}

	all := make([]typeChange, 0, len(results))
	for _, r := range results {
		shown := r.After
		if shown == nil {
			shown = r.Before
		}

		all = append(all, typeChange{shown.Key, r.Outcome, r.Before, r.After})
		if r.Outcome != eventtype.Unchanged {
			changed++
		}
	}

	if flags.inJSON {
		return changed, printJSON(cmd, all)
	}

	text, err := formatChanges(all, flags.dry)
	if err != nil {
		return 0, err
	}

	return changed, printText(cmd, text)
}

// formatChanges renders the changes as diffs, with their counts.
func formatChanges(all []typeChange, dry bool) (string, error) {
	var b strings.Builder
	counts := map[string]int{}
	for i := range all {
		c := &all[i]
		counts[string(c.Outcome)]++
		fmt.Fprintf(&b, "%s %s\n", c.Outcome, c.Path())
		difference, err := plan.DiffTypes(c.Before, c.After)
		if err != nil {
			return "", err
		}

		b.WriteString(difference)
	}

	fmt.Fprintf(&b, "%d created, %d changed, %d deleted, %d unchanged", counts[string(eventtype.Created)],
		counts[string(eventtype.Changed)], counts[string(eventtype.Deleted)], counts[string(eventtype.Unchanged)])
	if dry {
		b.WriteString("; nothing was changed")
	}

	return b.String() + "\n", nil
}
