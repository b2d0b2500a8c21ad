package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// printText writes a text to a command's standard output.
func printText(cmd *cobra.Command, text string) error {
	if _, err := io.WriteString(cmd.OutOrStdout(), text); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

// printJSON prints an answer as JSON.
func printJSON(cmd *cobra.Command, answer any) error {
	text, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		return fmt.Errorf("render the answer: %w", err)
	}

	return printText(cmd, string(text)+"\n")
}

// printTable prints a table; fill writes its lines, with tabs between the cells.
func printTable(cmd *cobra.Command, head string, fill func(*tabwriter.Writer)) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, head) //nolint:errcheck // Flush returns the error
	fill(w)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

// formatCell quotes a text that a client sent; a missing one is a dash.
func formatCell(text *string) string {
	if text == nil {
		return "-"
	}

	return fmt.Sprintf("%q", *text)
}
