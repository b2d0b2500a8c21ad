package main

import (
	"io"

	"github.com/spf13/cobra"
)

// Root makes the commands as the program has them.
func Root() *cobra.Command { return newRoot(nil) }

// OpsURL is where the probe asks.
func OpsURL(listen string) (string, error) { return opsURL(listen) }

// Ask asks a question that only "yes" answers.
func Ask(in io.Reader, out io.Writer, question string) error { return ask(in, out, question) }
