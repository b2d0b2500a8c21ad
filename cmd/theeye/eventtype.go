package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/cli/plan"
	"github.com/the-eye-events/the-eye/internal/eventtype"
)

const eventTypeLong = `Manage event types: a category and a name, with a JSON Schema for the payload.

The commands change the database directly; every replica applies a change within 5 s.
Only generate asks a running service, as a client with a key.
A plan is a file, or a directory of *.yaml, *.yml and *.json files, with documents such as

  category: form
  name: submit
  mode: enforce        # or observe: store the event with its violations
  description: A form was sent
  schema:
    type: object
    required: [email]
    properties:
      email: {type: string, format: email, x-theeye: hash}

A command that cannot use a plan reports where the plan is wrong and exits with 65.`

func newEventType() *cobra.Command {
	cmd := &cobra.Command{Use: "event-type", Short: "Manage event types and their schemas; keep them as code", Long: eventTypeLong}
	cmd.AddCommand(
		newTypeList(),
		newTypeGet(),
		newTypeApply(),
		newTypeDiff(),
		newTypeExport(),
		newTypePreview(),
		newTypeInfer(),
		newTypeConvert(),
		newTypeGenerate(),
		newTypeDelete(),
	)
	return cmd
}

// newEventTypeCommand builds a command that manages event types.
func newEventTypeCommand(use, short string, args cobra.PositionalArgs, do func(cmd *cobra.Command, t cli.EventTypes, args []string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  args,
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

// typeArguments requires the two arguments that name a type.
func typeArguments() cobra.PositionalArgs { return cobra.ExactArgs(2) } //nolint:mnd // a category and a name

// The output formats.
const (
	asYAML = "yaml"
	asJSON = "json"
)

func bindOutput(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVarP(into, "output", "o", asYAML, "Output format: yaml or json")
}

// checkOutput returns an error for a format that does not exist, before the database is asked.
func checkOutput(form string) error {
	if form != asYAML && form != asJSON {
		return usageError{fmt.Errorf("--output must be yaml or json, not %q", form)}
	}

	return nil
}

// printType prints a type in the form of a plan.
func printType(cmd *cobra.Command, t *eventtype.Type, form, comment string) error {
	var text []byte
	var err error
	if form == asJSON {
		text, err = plan.RenderJSON(t)
	} else {
		text, err = plan.RenderYAML(t, comment)
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

				fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", quoteControls(one.Category), quoteControls(one.Name), one.Version, one.Mode, schema, //nolint:errcheck // Flush returns the error
					one.CreatedAt.UTC().Format(time.RFC3339), quoteControls(one.Description))
			}
		})
	})
	bindJSON(cmd, &inJSON)
	return cmd
}

// quoteControls quotes a text that has control characters, so that it stays on its line.
func quoteControls(text string) string {
	if quoted := fmt.Sprintf("%q", text); quoted[1:len(quoted)-1] != text {
		return quoted
	}

	return text
}

func newTypeGet() *cobra.Command {
	form := ""
	version := int32(0)
	cmd := newEventTypeCommand("get CATEGORY NAME", "Print an event type in the form of a plan file", typeArguments(), func(cmd *cobra.Command, t cli.EventTypes, args []string) error {
		found, err := t.FindType(cmd.Context(), keyOf(args), version)
		if err != nil {
			return err
		}

		return printType(cmd, &found, form, "")
	})
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if version < 0 {
			return usageError{errors.New("--version cannot be negative")}
		}

		return checkOutput(form)
	}
	cmd.Flags().Int32Var(&version, "version", 0, "The number of an older version; 0 means the version in force")
	bindOutput(cmd, &form)
	return cmd
}

func newTypeDelete() *cobra.Command {
	return newEventTypeCommand("delete CATEGORY NAME", "Delete an event type from the registry; its versions can still be read", typeArguments(),
		func(cmd *cobra.Command, t cli.EventTypes, args []string) error {
			if err := t.DeleteType(cmd.Context(), keyOf(args), nil); err != nil {
				return err
			}

			return printText(cmd, "deleted "+keyOf(args).Path()+"\n")
		})
}

func newTypeExport() *cobra.Command {
	directory := ""
	form := ""
	cmd := newEventTypeCommand("export [-d DIRECTORY]", "Print all event types as one plan, or write one file for each", cobra.NoArgs,
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
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if directory != "" && cmd.Flags().Changed("output") {
			return usageError{errors.New("--directory writes YAML: give it without --output")}
		}

		return checkOutput(form)
	}
	cmd.Flags().StringVarP(&directory, "directory", "d", "", "Write one file for each type into this `DIRECTORY`")
	bindOutput(cmd, &form)
	return cmd
}

func newTypeInfer() *cobra.Command {
	events := eventtype.DefaultSample
	cmd := newEventTypeCommand("infer CATEGORY NAME", "Propose a schema that the newest stored events match, as a plan", typeArguments(),
		func(cmd *cobra.Command, t cli.EventTypes, args []string) error {
			proposal, seen, err := t.InferSchema(cmd.Context(), keyOf(args), events)
			if err != nil {
				return err
			}

			if seen == 0 {
				return fmt.Errorf("no event of %s is stored", keyOf(args).Path())
			}

			comment := fmt.Sprintf("Proposed from %d stored events. Review it before you apply it: an event may have\nbeen an exception, and members that no event had are missing.", seen)
			if hasMarks(cmd.Context(), t, keyOf(args)) {
				comment += "\nThe schema in force has x-theeye marks. They are not inferred: copy them,\nor the values that they protect will be stored."
			}

			return printType(cmd, &proposal, asYAML, comment)
		})
	cmd.PreRunE = func(*cobra.Command, []string) error { return checkSample(events) }
	bindSample(cmd, &events)
	return cmd
}

// hasMarks reports whether the schema in force has x-theeye marks.
func hasMarks(ctx context.Context, t cli.EventTypes, key eventtype.Key) bool {
	current, err := t.FindType(ctx, key, 0)
	return err == nil && strings.Contains(string(current.Schema), `"x-theeye"`)
}

func bindSample(cmd *cobra.Command, events *int) {
	cmd.Flags().IntVar(events, "events", eventtype.DefaultSample, "Number of stored events to examine, newest first")
}

func checkSample(events int) error {
	if events < 1 || events > eventtype.MaxSample {
		return usageError{fmt.Errorf("--events must be between 1 and %d", eventtype.MaxSample)}
	}

	return nil
}
