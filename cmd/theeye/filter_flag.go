package main

import (
	"errors"

	"github.com/spf13/pflag"
)

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
