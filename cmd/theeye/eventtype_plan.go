package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli/plan"
	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// planSource is where a plan is read from, as flags say it.
type planSource struct {
	path string
	from string
}

func (s *planSource) bindFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&s.path, "file", "f", "", "The `PLAN`: a file, a directory, or - for the standard input")
	cmd.Flags().StringVar(&s.from, "from", string(eventtype.Draft2020), "Convert the schemas of the plan from this `DRAFT`: draft-04, draft-06, draft-07 or 2019-09")
}

// readPlan reads the plan, and says on the standard error what in its schemas does nothing.
func (s *planSource) readPlan(cmd *cobra.Command) (plan.Plan, error) {
	if s.path == "" {
		return nil, usageError{errors.New("say with --file which file or directory; - is the standard input")}
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
		return "", usageError{fmt.Errorf("--from is draft-04, draft-06, draft-07 or 2019-09, not %q", text)}
	}

	return draft, nil
}

func printWarnings(cmd *cobra.Command, notes []string) {
	for _, note := range notes {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning: "+note) //nolint:errcheck // there is nowhere else to say it
	}
}

func newTypeConvert() *cobra.Command {
	from := ""
	cmd := &cobra.Command{
		Use: "convert --from DRAFT FILE", Short: "Print schemas of an older draft as schemas of 2020-12", Args: cobra.ExactArgs(1),
		Long: `Print schemas of an older draft of JSON Schema as schemas of 2020-12 that the same events
fit. FILE holds schemas, or documents of a plan, in JSON or YAML; - is the standard input.
What is printed is of the same form. It needs no database.

The standard error names what did nothing in the older draft, such as keywords beside a
$ref, and was left out so that it does nothing now.`,
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
	cmd.Flags().StringVar(&from, "from", "draft-07", "The `DRAFT` that the schemas are of: draft-04, draft-06, draft-07 or 2019-09")
	return cmd
}
