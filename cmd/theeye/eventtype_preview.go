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
	source, events, maxFailing, inJSON := planSource{}, eventtype.DefaultSample, 0, false
	cmd := newEventTypeCommand("preview -f PLAN", "Hold the schemas of a plan against stored events before they bite", cobra.NoArgs,
		func(cmd *cobra.Command, t cli.EventTypes, _ []string) error {
			if err := checkSample(events); err != nil {
				return err
			}

			if maxFailing < 0 {
				return usageError{errors.New("--max-failing cannot be negative")}
			}

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
	cmd.Long = `Hold the schemas of a plan against the newest stored events of each type, and against
its open errors: how many events fit now and would not any more, which violations are
the commonest, and which errors could be replayed. Nothing is changed.

It ends with 1 when more stored events would newly fail than --max-failing allows, all
types together, or when the time was up before all were looked at; for CI. Types whose
mode in the plan is observe refuse nothing and do not count; to enforce what was only
observed does.`
	source.bindFlags(cmd)
	bindSample(cmd, &events)
	cmd.Flags().IntVar(&maxFailing, "max-failing", 0, "How many stored events may newly fail")
	bindJSON(cmd, &inJSON)
	return cmd
}

// typePreview is the preview of one type.
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
		shown.showText("type %d of %d: looking at the events of %s", i+1, len(wanted), wanted[i].Path())
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
		e, r := p.Events, p.Rejections
		fmt.Fprintf(&b, "%s (%s): %d stored events: %d would newly fail, %d fail already, %d would newly fit, %d unaffected\n",
			p.Path(), p.Mode, e.Examined, e.NewlyFailing, e.StillFailing, e.NewlyPassing, e.Unaffected)
		if r.Examined > 0 {
			fmt.Fprintf(&b, "  %d open errors: %d would fit and could be replayed, %d would not\n", r.Examined, r.NewlyPassing, r.StillFailing)
		}

		for _, v := range p.Violations {
			fmt.Fprintf(&b, "  %d × %s (event %s)\n", v.Count, v.Detail, v.EventID)
		}

		if !p.Complete {
			b.WriteString("  the time was up before all were looked at; ask for fewer with --events\n")
		}
	}

	return b.String()
}

// checkPreviews is the error that makes the exit code.
func checkPreviews(all []typePreview, maxFailing int) error {
	failing, complete := 0, true
	for i := range all {
		if all[i].Mode == string(eventtype.Enforce) {
			failing += all[i].Events.NewlyFailing
		}

		complete = complete && all[i].Complete
	}

	switch {
	case failing > maxFailing:
		return fmt.Errorf("%d stored events would newly fail; %d may", failing, maxFailing)
	case !complete:
		return errors.New("not all stored events were looked at")
	}

	return nil
}
