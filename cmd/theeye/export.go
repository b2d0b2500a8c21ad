package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli/export"
)

// The environment variables that hold a client's key; dev.env sets the second.
const (
	keyVariable     = "THEEYE_KEY"
	readKeyVariable = "THEEYE_READ_KEY"
)

// newExport builds a client's command: it needs the URL of a service and a key.
func newExport() *cobra.Command {
	o := export.Options{Filters: url.Values{}}
	var keyFile, after, category, name, application string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write stored events, one JSON object per line, in commit order",
		Args:  cobra.NoArgs,
		Long: `Write stored events, one JSON object per line, in the order in which they were committed.
With a cursor file, each run continues where the previous one ended and misses nothing.
An event that was edited since is written again.

With a service of theeye dev running:

  source .theeye/dev.env
  theeye export --cursor-file cursor >> events.ndjson
  theeye export --cursor-file cursor --follow >> events.ndjson`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Key, err = clientKey(keyFile); err != nil {
				return err
			}

			if o.URL = cmp.Or(o.URL, os.Getenv(urlVariable)); o.URL == "" {
				return missingURL()
			}

			if o.Interval <= 0 {
				return usageError{errors.New("--interval must be above 0")}
			}

			if o.After, err = readCursor(after); err != nil {
				return err
			}

			for parameter, value := range map[string]string{"category": category, "name": name, "application": application} {
				if value != "" {
					o.Filters.Set(parameter, value)
				}
			}

			return runExport(cmd, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.URL, "url", "", "Read from the service at this `URL` ($"+urlVariable+")")
	f.StringVar(&keyFile, "key-file", "", "Read the key, which needs the scope read, from this `file` ($"+keyVariable+", $"+readKeyVariable+")")
	f.StringVar(&after, "after", "", "Start after this `cursor`, or after the cursor in the file of this name")
	f.StringVar(&o.CursorFile, "cursor-file", "", "Start after the cursor in this `file`, if it exists, and save the cursor there")
	f.BoolVar(&o.Follow, "follow", false, "Keep running until interrupted")
	f.DurationVar(&o.Interval, "interval", 2*time.Second, "With --follow: the pause between two requests")
	addFilter(f, &category, "category", "Write events of this category only")
	addFilter(f, &name, "name", "Write events of this name only")
	addFilter(f, &application, "application", "Write events of this application only")
	return cmd
}

// runExport runs the export, and prints errors, notices and progress on standard error.
func runExport(cmd *cobra.Command, o export.Options) error {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1}
	defer transport.CloseIdleConnections()

	shown := newProgress(cmd)
	printNotice := func(text string) {
		shown.clearLine()
		cmd.PrintErrln("theeye: " + text)
	}
	err := export.Run(cmd.Context(), o, export.Deps{
		Client:     &http.Client{Transport: transport},
		Out:        cmd.OutOrStdout(),
		After:      time.After,
		OnError:    func(err error) { printNotice(err.Error() + "; trying again") },
		OnNotice:   printNotice,
		OnProgress: progressOf(cmd, shown),
	})
	shown.clearLine()
	if errors.Is(err, export.ErrUsage) {
		return usageError{err}
	}

	if err != nil {
		return fmt.Errorf("export: %w", err)
	}

	return nil
}

// progressOf shows the number of written events, unless the events themselves go to the
// terminal.
func progressOf(cmd *cobra.Command, shown *progress) func(events int) {
	if isTerminal(cmd.OutOrStdout()) {
		return nil
	}

	return func(events int) { shown.showText("%d events written", events) }
}

// clientKey reads the key of a client from a file, or from the environment without one.
func clientKey(file string) (string, error) {
	key := cmp.Or(os.Getenv(keyVariable), os.Getenv(readKeyVariable))
	if file != "" {
		text, err := os.ReadFile(file) //nolint:gosec // the caller names the file
		if err != nil {
			return "", fmt.Errorf("read the key: %w", err)
		}

		key = strings.TrimSpace(string(text))
	}

	if key == "" {
		return "", usageError{errors.New("a key with the scope read is needed: give --key-file, or set " + keyVariable)}
	}

	return key, nil
}

// readCursor reads the cursor in the file of that name. A text that names no file is a
// cursor itself.
func readCursor(text string) (string, error) {
	if info, err := os.Stat(text); text == "" || err != nil || info.IsDir() {
		return text, nil //nolint:nilerr // a text that names no file is a cursor
	}

	return export.ReadCursor(text)
}
