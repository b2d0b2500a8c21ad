package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli/plan"
	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// planSource holds the flags that say where to read a plan.
type planSource struct {
	path string
	from string
}

func (s *planSource) bindFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&s.path, "file", "f", "", "The `PLAN`: a file, a directory, or - for standard input")
	cmd.Flags().StringVar(&s.from, "from", string(eventtype.Draft2020), "Convert the schemas of the plan from this `DRAFT`: draft-04, draft-06, draft-07 or 2019-09")
}

// readPlan reads the plan, and warns on standard error of parts of its schemas that have no
// effect.
func (s *planSource) readPlan(cmd *cobra.Command) (plan.Plan, error) {
	if s.path == "" {
		return nil, usageError{errors.New("--file is required: a file, a directory, or - for standard input")}
	}

	from, err := parseDraft(s.from)
	if err != nil {
		return nil, err
	}

	plan, err := plan.Read(s.path, cmd.InOrStdin(), from)
	if err != nil {
		return nil, err
	}

	for i := range plan {
		printWarnings(cmd, plan[i].Notes())
	}

	return plan, nil
}

func parseDraft(text string) (eventtype.Draft, error) {
	draft, known := eventtype.ParseDraft(text)
	if !known {
		return "", usageError{fmt.Errorf("--from must be draft-04, draft-06, draft-07 or 2019-09, not %q", text)}
	}

	return draft, nil
}

func printWarnings(cmd *cobra.Command, notes []string) {
	for _, note := range notes {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning: "+note) //nolint:errcheck // there is nowhere to report it
	}
}

func newTypeConvert() *cobra.Command {
	from := ""
	cmd := &cobra.Command{
		Use:   "convert --from DRAFT FILE",
		Short: "Convert schemas of an older draft to 2020-12",
		Args:  cobra.ExactArgs(1),
		Long: `Convert schemas of an older draft of JSON Schema to 2020-12, so that the same events match.
FILE holds schemas, or documents of a plan, in JSON or YAML; - means standard input. The
output has the same form. No database is needed.

Warnings on standard error name the parts that had no effect in the older draft, such as
keywords beside a $ref. They are left out, because they would have an effect in 2020-12.`,
		Example: "  theeye event-type convert --from draft-07 schema.json > converted.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			draft, err := parseDraft(from)
			if err != nil {
				return err
			}

			text, notes, err := plan.ConvertFile(args[0], cmd.InOrStdin(), draft)
			if err != nil {
				return err
			}

			printWarnings(cmd, notes)
			return printText(cmd, string(text))
		},
	}
	cmd.Flags().StringVar(&from, "from", "draft-07", "The `DRAFT` of the schemas: draft-04, draft-06, draft-07 or 2019-09")
	return cmd
}
