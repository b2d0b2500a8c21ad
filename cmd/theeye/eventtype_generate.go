package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/cli/codegen"
	"github.com/the-eye-events/the-eye/internal/cli/plan"
	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// generateFlags are the flags of event-type generate.
type generateFlags struct {
	codegen.Options

	language string
	plan     string
	url      string
	keyFile  string
	output   string
}

// newTypeGenerate builds a client's command: it needs a plan, or the URL of a service and a key.
func newTypeGenerate() *cobra.Command {
	var flags generateFlags
	cmd := &cobra.Command{
		Use:   "generate --lang LANGUAGE",
		Short: "Write types and functions for the event types, so that a wrong payload does not compile",
		Args:  cobra.NoArgs,
		Long: `Write a type for the payload of each registered event type, and a function that sends
it, in Go or TypeScript: a payload that does not fit its schema does not compile.

The event types come from a running service, which is asked with a key, or from the files
of a plan; no database is needed. The same event types yield the same code.`,
		Example: `  source .theeye/dev.env
  theeye event-type generate --lang go --package events --output events/events.go
  theeye event-type generate --lang ts --output src/events.ts
  theeye event-type generate --lang ts -f tracking-plan`,
		PreRunE: func(*cobra.Command, []string) error {
			flags.Language = codegen.Language(flags.language)
			if flags.language == "" {
				return usageError{errors.New("--lang is required: go or ts")}
			}

			if err := flags.Check(); err != nil {
				return usageError{err}
			}

			if flags.plan != "" && (flags.url != "" || flags.keyFile != "") {
				return usageError{errors.New("the event types come from --file or from the service at --url, not from both")}
			}

			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			types, err := flags.readTypes(cmd)
			if err != nil {
				return err
			}

			code, err := codegen.Generate(types, flags.Options)
			if err != nil {
				return err
			}

			return flags.writeCode(cmd, code)
		},
	}
	flags.bind(cmd)
	return cmd
}

func (flags *generateFlags) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&flags.language, "lang", "", "The `LANGUAGE`: go or ts")
	f.StringVar(&flags.Package, "package", "", "`NAME` of the Go package (default "+codegen.DefaultPackage+")")
	f.StringVar(&flags.output, "output", "", "Write the code into this `FILE` instead of standard output")
	f.StringVarP(&flags.plan, "file", "f", "", "Read the event types from this `PLAN`: a file, a directory, or - for standard input")
	f.StringVar(&flags.url, "url", "", "Read the event types from the service at this `URL` ($"+urlVariable+")")
	f.StringVar(&flags.keyFile, "key-file", "", "Read the key, which needs the scope read, from this `file` ($"+keyVariable+", $"+readKeyVariable+")")

	files := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	}
	_ = cmd.RegisterFlagCompletionFunc("output", files) // it fails only for a flag that is not there
}

// readTypes reads the event types from the plan, or from the service without one.
func (flags *generateFlags) readTypes(cmd *cobra.Command) ([]eventtype.Type, error) {
	if flags.plan != "" {
		documents, err := plan.Read(flags.plan, cmd.InOrStdin(), eventtype.Draft2020)
		if err != nil {
			return nil, err
		}

		types := make([]eventtype.Type, len(documents))
		for i := range documents {
			types[i] = eventtype.Type{Key: documents[i].Key, Spec: documents[i].Spec}
		}

		return types, nil
	}

	address := cmp.Or(flags.url, os.Getenv(urlVariable))
	if address == "" {
		return nil, usageError{errors.New("the event types are missing: give --file, or --url, or set " + urlVariable)}
	}

	key, err := clientKey(flags.keyFile)
	if err != nil {
		return nil, err
	}

	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	defer transport.CloseIdleConnections()

	types, err := cli.FetchEventTypes(cmd.Context(), &http.Client{Transport: transport}, address, key)
	if errors.Is(err, cli.ErrURL) {
		return nil, usageError{err}
	}

	return types, err
}

// writeCode prints the code, or writes it into the file of --output.
func (flags *generateFlags) writeCode(cmd *cobra.Command, code []byte) error {
	if flags.output == "" {
		return printText(cmd, string(code))
	}

	const mode = 0o644 // source code, which others may read
	if err := os.WriteFile(flags.output, code, mode); err != nil {
		return fmt.Errorf("write the code: %w", err)
	}

	return nil
}
