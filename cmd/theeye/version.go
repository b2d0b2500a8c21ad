package main

import (
	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			build := thisBuild()
			if asJSON {
				return printJSON(cmd, map[string]string{"version": build.Version, "revision": build.Revision, "go_version": build.GoVersion})
			}

			return printText(cmd, build.Version+"\n")
		},
	}
	bindJSON(cmd, &asJSON)
	return cmd
}
