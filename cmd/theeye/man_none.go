//go:build !man

package main

import "github.com/spf13/cobra"

// addMan adds nothing: a build with the tag man writes the manual.
func addMan(*cobra.Command) {}
