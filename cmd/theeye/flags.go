package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/the-eye-events/the-eye/internal/config"
)

// bindDatabaseFlags adds a flag for every setting. The help shows only the flags of the
// database, for commands that use nothing but the database.
func bindDatabaseFlags(cmd *cobra.Command) {
	config.BindFlags(cmd.Flags())
	for _, setting := range config.Settings() {
		cmd.Flags().Lookup(setting.Flag).Hidden = !strings.HasPrefix(setting.Key, "database.")
	}
}

// bindJSON adds the flag --json, for output that programs read.
func bindJSON(cmd *cobra.Command, into *bool) {
	cmd.Flags().BoolVar(into, "json", false, "Print JSON")
}

// checkOneOf returns an error for a flag's text that is not one of the values.
func checkOneOf(flag, text string, values []string) error {
	if text == "" || slices.Contains(values, text) {
		return nil
	}

	return usageError{fmt.Errorf("%s must be one of: %s", flag, strings.Join(values, ", "))}
}

// filterFlag is the text of a filter. It must not be empty: where a script's variable is unset, the
// filter would be left out, and a command that discards events would take more of them.
type filterFlag struct{ text *string }

// addFilter adds a filter to a command's flags.
func addFilter(flags *pflag.FlagSet, text *string, name, usage string) {
	flags.Var(filterFlag{text}, name, usage)
}

// String returns the text.
func (f filterFlag) String() string {
	if f.text == nil {
		return ""
	}

	return *f.text
}

// Set sets the text.
func (f filterFlag) Set(text string) error {
	if text == "" {
		return errors.New("it is empty; give a value, or leave it out")
	}

	*f.text = text

	return nil
}

// Type returns what the help calls the value.
func (filterFlag) Type() string { return "string" }
