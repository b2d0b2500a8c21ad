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

// The variables of keys for clients; dev.env sets the second.
const (
	keyVariable     = "THEEYE_KEY"
	readKeyVariable = "THEEYE_READ_KEY"
)

// newExport is a client: it needs the URL of a service and a key.
func newExport() *cobra.Command {
	o := export.Options{Filters: url.Values{}}
	var keyFile, after, category, name, application string
	cmd := &cobra.Command{
		Use: "export", Short: "Write stored events as lines of JSON, in the order of their commits", Args: cobra.NoArgs,
		Long: `Write stored events as lines of JSON, in the order in which they were committed.
With a cursor file, each run goes on where the one before it ended and misses nothing.
An event that was edited meanwhile is written again.

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
				return usageError{errors.New("no service is named: give --url, or set " + urlVariable)}
			}

			if o.Interval <= 0 {
				return usageError{errors.New("--interval is a time above 0")}
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
	f.StringVar(&keyFile, "key-file", "", "Read the key, whose scope is read, from this `file` ($"+keyVariable+", $"+readKeyVariable+")")
	f.StringVar(&after, "after", "", "Begin behind this `cursor`, or the one in the file of this name")
	f.StringVar(&o.CursorFile, "cursor-file", "", "Begin behind the cursor in this `file`, if it is there, and keep the cursor in it")
	f.BoolVar(&o.Follow, "follow", false, "Go on until interrupted")
	f.DurationVar(&o.Interval, "interval", 2*time.Second, "With --follow: ask for more so often")
	f.StringVar(&category, "category", "", "Write the events of this category alone")
	f.StringVar(&name, "name", "", "Write the events of this name alone")
	f.StringVar(&application, "application", "", "Write the events of this application alone")
	return cmd
}

// runExport exports, and says on standard error what there is to say.
func runExport(cmd *cobra.Command, o export.Options) error {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1}
	defer transport.CloseIdleConnections()

	shown := newProgress(cmd)
	tell := func(text string) {
		shown.clearLine()
		cmd.PrintErrln("theeye: " + text)
	}
	err := export.Run(cmd.Context(), o, export.Deps{
		Client: &http.Client{Transport: transport}, Out: cmd.OutOrStdout(), After: time.After,
		OnError:    func(err error) { tell(err.Error() + "; trying again") },
		OnNotice:   tell,
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

// progressOf counts the events that were written, unless they are shown themselves.
func progressOf(cmd *cobra.Command, shown *progress) func(events int) {
	if isTerminal(cmd.OutOrStdout()) {
		return nil
	}

	return func(events int) { shown.showText("%d events written", events) }
}

// clientKey reads the key of a client from a file, or else from the environment.
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

// readCursor reads a cursor from the file of that name, if there is one.
func readCursor(text string) (string, error) {
	if info, err := os.Stat(text); text == "" || err != nil || info.IsDir() {
		return text, nil //nolint:nilerr // what names no file is a cursor
	}

	return export.ReadCursor(text)
}
