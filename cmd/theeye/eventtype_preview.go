package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/eventtype"
)

func newTypePreview() *cobra.Command {
	source := planSource{}
	events := eventtype.DefaultSample
	maxFailing := 0
	inJSON := false
	cmd := newEventTypeCommand("preview -f PLAN", "Check stored events against the schemas of a plan before it is applied", cobra.NoArgs,
		func(cmd *cobra.Command, t cli.EventTypes, _ []string) error {
			all, err := collectPreviews(cmd, t, source, events)
			if err != nil {
				return err
			}

			if inJSON {
				err = printJSON(cmd, all)
			} else {
				err = printText(cmd, formatPreviews(all))
			}

			if err != nil {
				return err
			}

			return checkPreviews(all, maxFailing)
		})
	cmd.Long = `Check the newest stored events of each type, and its open errors, against the schemas
of a plan. The report says how many events match now and would no longer match, which
violations are the most common, and how many errors could be replayed. Nothing is changed.

For CI, the command exits with 1 when more stored events of all types would newly fail
than --max-failing allows, or when the time limit ended before every event was examined.
Types whose mode in the plan is observe reject nothing and do not count. A type that
changes from observe to enforce does count.`
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if maxFailing < 0 {
			return usageError{errors.New("--max-failing cannot be negative")}
		}

		return checkSample(events)
	}
	source.bindFlags(cmd)
	bindSample(cmd, &events)
	cmd.Flags().IntVar(&maxFailing, "max-failing", 0, "Number of stored events that may newly fail")
	bindJSON(cmd, &inJSON)
	return cmd
}

// typePreview is the preview of one type, with its mode in the plan.
type typePreview struct {
	eventtype.Key
	eventtype.Preview

	Mode string `json:"mode"`
}

func collectPreviews(cmd *cobra.Command, t cli.EventTypes, source planSource, events int) ([]typePreview, error) {
	wanted, err := source.readPlan(cmd)
	if err != nil {
		return nil, err
	}

	shown := newProgress(cmd)
	defer shown.clearLine()

	all := make([]typePreview, 0, len(wanted))
	for i := range wanted {
		shown.showText("type %d of %d: examining the events of %s", i+1, len(wanted), wanted[i].Path())
		preview, err := t.Preview(cmd.Context(), wanted[i].Key, wanted[i].Spec, events)
		if stopped := context.Cause(cmd.Context()); stopped != nil {
			return nil, stopped
		}

		if err != nil {
			return nil, err
		}

		all = append(all, typePreview{wanted[i].Key, preview, string(wanted[i].Mode)})
	}

	return all, nil
}

func formatPreviews(all []typePreview) string {
	var b strings.Builder
	for i := range all {
		p := &all[i]
		e := p.Events
		r := p.Rejections
		fmt.Fprintf(&b, "%s (%s): %d stored events: %d would newly fail, %d fail already, %d would newly match, %d unaffected\n",
			p.Path(), p.Mode, e.Examined, e.NewlyFailing, e.StillFailing, e.NewlyPassing, e.Unaffected)
		if r.Examined > 0 {
			fmt.Fprintf(&b, "  %d open errors: %d would match and could be replayed, %d would not\n", r.Examined, r.NewlyPassing, r.StillFailing)
		}

		for _, v := range p.Violations {
			fmt.Fprintf(&b, "  %d × %s (event %s)\n", v.Count, v.Detail, v.EventID)
		}

		if !p.Complete {
			b.WriteString("  the time limit ended before every event was examined; lower --events\n")
		}
	}

	return b.String()
}

// checkPreviews returns the error that sets the exit code.
func checkPreviews(all []typePreview, maxFailing int) error {
	failing := 0
	complete := true
	for i := range all {
		if all[i].Mode == string(eventtype.Enforce) {
			failing += all[i].Events.NewlyFailing
		}

		complete = complete && all[i].Complete
	}

	switch {
	case failing > maxFailing:
		return fmt.Errorf("%d stored events would newly fail; --max-failing allows %d", failing, maxFailing)
	case !complete:
		return errors.New("not all stored events were examined")
	}

	return nil
}
