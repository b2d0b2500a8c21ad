package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// enforceArguments makes arguments that cannot be understood a usage error, also where
// groups of commands would show their help instead.
func enforceArguments(cmd *cobra.Command) {
	check := cmd.Args
	if cmd.HasSubCommands() {
		check = rejectUnknownCommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}

	cmd.Args = func(cmd *cobra.Command, arguments []string) error {
		if err := check(cmd, arguments); err != nil {
			return usageError{explainArguments(cmd, arguments, err)}
		}

		if err := cmd.ValidateFlagGroups(); err != nil { // cobra would return it unmarked
			return usageError{err}
		}

		return nil
	}
	for _, sub := range cmd.Commands() {
		enforceArguments(sub)
	}
}

// explainArguments says of arguments that were refused for their number which are missing,
// or which is one too many, by the names in the command's use line.
func explainArguments(cmd *cobra.Command, arguments []string, refused error) error {
	names := argumentNames(cmd)
	switch {
	case cmd.HasSubCommands():
		return refused
	case len(arguments) < len(names):
		missing, verb := names[len(arguments):], "is"
		if len(missing) > 1 {
			verb = "are"
		}

		return fmt.Errorf("%s %s missing: %s", strings.Join(missing, " and "), verb, cmd.UseLine())
	case len(arguments) > len(names):
		return fmt.Errorf("the argument %q is one too many: %s", arguments[len(names)], cmd.UseLine())
	}

	return refused
}

// argumentNames are the arguments that a command cannot do without, as its use line has them.
func argumentNames(cmd *cobra.Command) (names []string) {
	line, _, _ := strings.Cut(cmd.Use, " -") // what a flag takes is no argument
	for word := range strings.FieldsSeq(line) {
		if strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" {
			names = append(names, word)
		}
	}

	return names
}

// suggestFlag adds to an unknown flag those that are spelled much like it.
func suggestFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
		return err
	}

	// cobra knows how to compare names of commands.
	all := &cobra.Command{SuggestionsMinimumDistance: maxTypos}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		all.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	near := all.SuggestionsFor(unknown.GetSpecifiedName())
	if len(near) == 0 {
		return err
	}

	return fmt.Errorf("%w; did you mean --%s?", err, strings.Join(near, " or --"))
}

// maxTypos is how many letters may be wrong in what is meant all the same.
const maxTypos = 2

// rejectUnknownCommand refuses what names no command of a group.
func rejectUnknownCommand(cmd *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}

	cmd.SuggestionsMinimumDistance = maxTypos
	text := fmt.Sprintf("unknown command %q for %q", arguments[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(arguments[0]); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}

	return errors.New(text)
}
