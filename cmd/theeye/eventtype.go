package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/cli/plan"
	"github.com/the-eye-events/the-eye/internal/eventtype"
)

const eventTypeLong = `Administer event types: a category and a name, with a JSON Schema for the payload.

They work on the database directly; a change is in force on every replica within 5 s.
A plan is a file, or a directory of *.yaml, *.yml and *.json, of documents like

  category: form
  name: submit
  mode: enforce        # or observe: store the event with its violations
  description: A form was sent
  schema:
    type: object
    required: [email]
    properties:
      email: {type: string, format: email, x-theeye: hash}

A plan that cannot be used ends a command with 65 and says where it is wrong.`

func newEventType() *cobra.Command {
	cmd := &cobra.Command{Use: "event-type", Short: "Administer event types and their schemas; keep them as code", Long: eventTypeLong}
	cmd.AddCommand(newTypeList(), newTypeGet(), newTypeApply(), newTypeDiff(), newTypeExport(), newTypePreview(), newTypeInfer(), newTypeConvert(), newTypeDelete())
	return cmd
}

// newEventTypeCommand builds a command that works on event types.
func newEventTypeCommand(use, short string, args cobra.PositionalArgs, do func(cmd *cobra.Command, t cli.EventTypes, args []string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}

			return cli.WithEventTypes(cmd.Context(), c, func(t cli.EventTypes) error { return do(cmd, t, args) })
		},
	}
	bindDatabaseFlags(cmd)
	return cmd
}

func keyOf(args []string) eventtype.Key { return eventtype.Key{Category: args[0], Name: args[1]} }

// typeArguments is the arguments that name a type.
func typeArguments() cobra.PositionalArgs { return cobra.ExactArgs(2) } //nolint:mnd // a category and a name

// The forms of what is printed.
const (
	asYAML = "yaml"
	asJSON = "json"
)

func bindOutput(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVarP(into, "output", "o", asYAML, "The form of what is printed: yaml or json")
}

// printType prints a type as a plan has it.
func printType(cmd *cobra.Command, t *eventtype.Type, form, comment string) error {
	var text []byte
	var err error
	switch form {
	case asYAML:
		text, err = plan.RenderYAML(t, comment)
	case asJSON:
		text, err = plan.RenderJSON(t)
	default:
		return usageError{fmt.Errorf("--output is yaml or json, not %q", form)}
	}

	if err != nil {
		return err
	}

	return printText(cmd, string(text))
}

func newTypeList() *cobra.Command {
	inJSON := false
	cmd := newEventTypeCommand("list", "List the registered event types", cobra.NoArgs, func(cmd *cobra.Command, t cli.EventTypes, _ []string) error {
		types, err := t.ListTypes(cmd.Context())
		if err != nil {
			return err
		}

		if inJSON {
			return printJSON(cmd, types)
		}

		return printTable(cmd, "CATEGORY\tNAME\tVERSION\tMODE\tSCHEMA\tCHANGED\tDESCRIPTION", func(w *tabwriter.Writer) {
			for _, one := range types {
				schema := "none"
				if one.Schema != nil {
					schema = fmt.Sprintf("%d bytes", len(one.Schema))
				}

				fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", quoteControls(one.Category), quoteControls(one.Name), one.Version, one.Mode, schema, //nolint:errcheck // Flush tells
					one.CreatedAt.UTC().Format(time.RFC3339), quoteControls(one.Description))
			}
		})
	})
	bindJSON(cmd, &inJSON)
	return cmd
}

// quoteControls keeps a text on its line.
func quoteControls(text string) string {
	if quoted := fmt.Sprintf("%q", text); quoted[1:len(quoted)-1] != text {
		return quoted
	}

	return text
}

func newTypeGet() *cobra.Command {
	form, version := "", int32(0)
	cmd := newEventTypeCommand("get CATEGORY NAME", "Print an event type as a file of a plan", typeArguments(), func(cmd *cobra.Command, t cli.EventTypes, args []string) error {
		found, err := t.FindType(cmd.Context(), keyOf(args), version)
		if err != nil {
			return err
		}

		return printType(cmd, &found, form, "")
	})
	cmd.Flags().Int32Var(&version, "version", 0, "The number of an older version; 0 is the one in force")
	bindOutput(cmd, &form)
	return cmd
}

func newTypeDelete() *cobra.Command {
	return newEventTypeCommand("delete CATEGORY NAME", "Take an event type out of the registry; its versions can still be read", typeArguments(),
		func(cmd *cobra.Command, t cli.EventTypes, args []string) error {
			if err := t.DeleteType(cmd.Context(), keyOf(args), nil); err != nil {
				return err
			}

			return printText(cmd, "deleted "+keyOf(args).Path()+"\n")
		})
}

func newTypeApply() *cobra.Command {
	source, dry, prune := planSource{}, false, false
	cmd := newEventTypeCommand("apply -f PLAN", "Make the registry hold a plan: all of it, or nothing when something is wrong", cobra.NoArgs,
		func(cmd *cobra.Command, t cli.EventTypes, _ []string) error {
			_, err := applyPlan(cmd, t, source, prune, dry)
			return err
		})
	source.bindFlags(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "Say what would be done, and do nothing")
	cmd.Flags().BoolVar(&prune, "prune", false, "Delete the types that are not in the plan")
	return cmd
}

func newTypeDiff() *cobra.Command {
	source, prune := planSource{}, false
	cmd := newEventTypeCommand("diff -f PLAN", "Show what apply would change; ends with 0 when nothing, with 1 when something", cobra.NoArgs,
		func(cmd *cobra.Command, t cli.EventTypes, _ []string) error {
			changed, err := applyPlan(cmd, t, source, prune, true)
			if err == nil && changed > 0 {
				return fmt.Errorf("event types that differ: %d", changed)
			}

			return err
		})
	source.bindFlags(cmd)
	cmd.Flags().BoolVar(&prune, "prune", false, "Count the types that are not in the plan as differences")
	return cmd
}

// applyPlan makes the registry hold a plan, prints what that does, and counts the changes.
func applyPlan(cmd *cobra.Command, t cli.EventTypes, source planSource, prune, dry bool) (changed int, err error) {
	wanted, err := source.readPlan(cmd)
	if err != nil {
		return 0, err
	}

	results, err := t.ApplyChanges(cmd.Context(), wanted.Changes(), prune, dry)
	if err != nil {
		return 0, err
	}

	var b strings.Builder
	counts := map[string]int{}
	for i := range results {
		r := &results[i]
		of := r.After
		if of == nil {
			of = r.Before
		}

		counts[string(r.Outcome)]++
		fmt.Fprintf(&b, "%s %s\n", r.Outcome, of.Path())
		difference, err := plan.DiffTypes(r.Before, r.After)
		if err != nil {
			return 0, err
		}

		b.WriteString(difference)
	}

	unchanged := counts[string(eventtype.Unchanged)]
	fmt.Fprintf(&b, "%d created, %d changed, %d deleted, %d unchanged", counts[string(eventtype.Created)],
		counts[string(eventtype.Changed)], counts[string(eventtype.Deleted)], unchanged)
	if dry {
		b.WriteString("; nothing was done")
	}

	return len(results) - unchanged, printText(cmd, b.String()+"\n")
}

func newTypeExport() *cobra.Command {
	directory, form := "", ""
	cmd := newEventTypeCommand("export [-d DIRECTORY]", "Print all event types as one plan, or write a file for each", cobra.NoArgs,
		func(cmd *cobra.Command, t cli.EventTypes, _ []string) error {
			types, err := t.ListTypes(cmd.Context())
			if err != nil {
				return err
			}

			if directory != "" {
				written, err := plan.ExportTypes(directory, types)
				if err != nil {
					return err
				}

				return printText(cmd, strings.Join(append(written, ""), "\n"))
			}

			for i := range types {
				if i > 0 && form == asYAML {
					if err := printText(cmd, "---\n"); err != nil {
						return err
					}
				}

				if err := printType(cmd, &types[i], form, ""); err != nil {
					return err
				}
			}

			return nil
		})
	cmd.Flags().StringVarP(&directory, "directory", "d", "", "Write a file for each type into this `DIRECTORY`")
	bindOutput(cmd, &form)
	return cmd
}

func newTypeInfer() *cobra.Command {
	events := eventtype.DefaultSample
	cmd := newEventTypeCommand("infer CATEGORY NAME", "Propose a schema that the newest stored events fit, as a plan", typeArguments(),
		func(cmd *cobra.Command, t cli.EventTypes, args []string) error {
			if err := checkSample(events); err != nil {
				return err
			}

			proposal, seen, err := t.InferSchema(cmd.Context(), keyOf(args), events)
			if err != nil {
				return err
			}

			if seen == 0 {
				return fmt.Errorf("no event of %s is stored", keyOf(args).Path())
			}

			comment := fmt.Sprintf("Proposed from %d stored events. Read it before you apply it: an event may have\nbeen an exception, and what no event had is not in it.", seen)
			if hasMarks(cmd.Context(), t, keyOf(args)) {
				comment += "\nThe schema in force has marks (x-theeye). They are not inferred: carry them over,\nor what they keep back will be stored."
			}

			return printType(cmd, &proposal, asYAML, comment)
		})
	bindSample(cmd, &events)
	return cmd
}

// hasMarks tells whether the schema in force has marks.
func hasMarks(ctx context.Context, t cli.EventTypes, key eventtype.Key) bool {
	current, err := t.FindType(ctx, key, 0)
	return err == nil && strings.Contains(string(current.Schema), `"x-theeye"`)
}

func bindSample(cmd *cobra.Command, events *int) {
	cmd.Flags().IntVar(events, "events", eventtype.DefaultSample, "How many stored events to look at, the newest first")
}

func checkSample(events int) error {
	if events < 1 || events > eventtype.MaxSample {
		return usageError{fmt.Errorf("--events is a number from 1 to %d", eventtype.MaxSample)}
	}

	return nil
}
