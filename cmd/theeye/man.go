//go:build man

package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// addMan adds the command that writes the manual, for `make man`. Releases are built
// without it, because it links packages that only the manual needs.
func addMan(root *cobra.Command) {
	root.AddCommand(&cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the manual, a page for each command",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			header := &doc.GenManHeader{Section: "1", Source: "The Eye " + version, Manual: "The Eye"}
			if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
				at := time.Unix(seconds, 0).UTC()
				header.Date = &at
			}

			root.DisableAutoGenTag = true // the same commit makes the same pages
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("write the manual: %w", err)
			}

			return nil
		},
	})
}
