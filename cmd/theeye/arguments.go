package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// enforceArguments makes invalid arguments a usage error, also for groups of commands,
// which would show their help instead.
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

// explainArguments names the arguments that are missing, or the one too many, as the
// command's use line does. Any other error of the arguments is returned as it is.
func explainArguments(cmd *cobra.Command, arguments []string, err error) error {
	names := argumentNames(cmd)
	switch {
	case cmd.HasSubCommands():
		return err
	case len(arguments) < len(names):
		missing := names[len(arguments):]
		verb := "is"
		if len(missing) > 1 {
			verb = "are"
		}

		return fmt.Errorf("%s %s missing: %s", strings.Join(missing, " and "), verb, cmd.UseLine())
	case len(arguments) > len(names):
		return fmt.Errorf("the argument %q is one too many: %s", arguments[len(names)], cmd.UseLine())
	}

	return err
}

// argumentNames returns the required arguments of a command, as its use line names them.
func argumentNames(cmd *cobra.Command) (names []string) {
	line, _, _ := strings.Cut(cmd.Use, " -") // the value of a flag is not an argument
	for word := range strings.FieldsSeq(line) {
		if strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" {
			names = append(names, word)
		}
	}

	return names
}

// suggestFlag adds flags of a similar spelling to the error of an unknown flag.
func suggestFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
		return err
	}

	// cobra compares the names of commands, so the flags are given to it as commands.
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

// maxTypos is the number of wrong letters up to which a name is suggested.
const maxTypos = 2

// rejectUnknownCommand returns an error for a name that is not a command of the group.
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
