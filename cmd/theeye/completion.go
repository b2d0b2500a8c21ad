package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/cli/codegen"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/query"
)

// completionTimeout bounds a request for a completion, because a user waits at the prompt.
// A request that fails or exceeds it completes to nothing.
const completionTimeout = time.Second

// lister lists the possible values of an argument, given the arguments before it.
type lister func(cmd *cobra.Command, before []string) []string

// addCompletions adds completions for the arguments and flags of a command and of its
// subcommands.
func addCompletions(cmd *cobra.Command) {
	names := argumentNames(cmd)
	if len(names) > 0 && cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = func(cmd *cobra.Command, before []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(before) >= len(names) {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}

			list := argumentLister(cmd, names[len(before)])
			return list(cmd, before), cobra.ShellCompDirectiveNoFileComp
		}
	}

	flags := flagListers()
	for _, setting := range config.Settings() {
		if words := strings.Split(setting.Type, "|"); len(words) > 1 {
			flags[setting.Flag] = listWords(words...)
		}
	}

	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		list, known := flags[f.Name]
		if !known {
			return
		}

		// It fails where a completion is registered already, which then stays in force.
		_ = cmd.RegisterFlagCompletionFunc(f.Name, func(cmd *cobra.Command, before []string, _ string) ([]string, cobra.ShellCompDirective) {
			return list(cmd, before), cobra.ShellCompDirectiveNoFileComp
		})
	})
	for _, sub := range cmd.Commands() {
		addCompletions(sub)
	}
}

// argumentLister returns the lister for an argument, by its name in the use line.
func argumentLister(cmd *cobra.Command, name string) lister {
	group := cmd.Parent().Name()
	switch {
	case name == "APPLICATION", name == "NAME" && group == "app" && cmd.Name() != "create":
		return listApplicationNames
	case name == "KEY_ID":
		return listKeyIDs
	case name == "CATEGORY":
		return listCategories
	case name == "NAME" && group == "event-type":
		return listTypeNames
	}

	return listWords()
}

// flagListers returns the listers of flags that mean the same in every command.
func flagListers() map[string]lister {
	return map[string]lister{
		"application": listApplicationNames,
		"category":    listCategories,
		"name":        listTypeNames,
		"scope":       listWords("ingest", "read", "admin"),
		"output":      listWords(asYAML, asJSON),
		"lang":        listWords(string(codegen.Go), string(codegen.TypeScript)),
		"status":      listWords(query.RejectionStatuses()...),
		"action":      listWords(audit.ActionNames()...),
	}
}

func listWords(words ...string) lister {
	return func(*cobra.Command, []string) []string { return words }
}

func listApplicationNames(cmd *cobra.Command, _ []string) []string {
	if isClient(cmd) {
		var answer struct {
			Applications []access.Application `json:"applications"`
		}
		fetchFromService(cmd, "v1/applications", &answer)
		return namesOf(answer.Applications, nameOf)
	}

	return namesOf(listFromDatabase(cmd, cli.WithAdmin, (*access.Registry).ListApplications), nameOf)
}

func nameOf(a access.Application) string { return a.Name }

func listKeyIDs(cmd *cobra.Command, before []string) []string {
	keys := listFromDatabase(cmd, cli.WithAdmin, func(a *access.Registry, ctx context.Context) ([]access.Key, error) { return a.ListKeys(ctx, before[0]) })
	keys = slices.DeleteFunc(keys, func(k access.Key) bool { return k.RevokedAt != nil })
	return namesOf(keys, func(k access.Key) string { return k.ID + "\t" + k.Description })
}

func listCategories(cmd *cobra.Command, _ []string) []string {
	return namesOf(listEventTypes(cmd), func(k eventtype.Key) string { return k.Category })
}

// listTypeNames lists the names of the types in the category that --category or the previous
// argument gives; without a category, of all types.
func listTypeNames(cmd *cobra.Command, before []string) []string {
	category := ""
	if flag := cmd.Flags().Lookup("category"); flag != nil {
		category = flag.Value.String()
	} else if len(before) > 0 {
		category = before[0]
	}

	keys := slices.DeleteFunc(listEventTypes(cmd), func(k eventtype.Key) bool { return category != "" && k.Category != category })
	return namesOf(keys, func(k eventtype.Key) string { return k.Name })
}

// listEventTypes lists the registered types.
func listEventTypes(cmd *cobra.Command) (keys []eventtype.Key) {
	if isClient(cmd) {
		var answer struct {
			Types []eventtype.Key `json:"event_types"`
		}
		fetchFromService(cmd, "v1/event-types", &answer)
		return answer.Types
	}

	types := listFromDatabase(cmd, cli.WithEventTypes, cli.EventTypes.ListTypes)
	for i := range types {
		keys = append(keys, types[i].Key)
	}

	return keys
}

func namesOf[T any](all []T, name func(T) string) []string {
	names := make([]string, 0, len(all))
	for _, one := range all {
		names = append(names, name(one))
	}

	slices.Sort(names)
	return slices.Compact(names)
}

// listFromDatabase reads a list from the database that the command's settings name.
func listFromDatabase[A, T any](cmd *cobra.Command, with func(context.Context, config.Config, func(A) error) error, list func(A, context.Context) ([]T, error)) (found []T) {
	c, err := loadConfig(cmd)
	if err != nil {
		return nil
	}

	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()

	err = with(ctx, c, func(tool A) (err error) {
		found, err = list(tool, ctx)
		return err
	})
	if err != nil {
		return nil
	}

	return found
}

// isClient reports whether a command uses a key and a URL instead of a database.
func isClient(cmd *cobra.Command) bool { return cmd.Flags().Lookup("key-file") != nil }

// fetchFromService reads an answer from the service that the command's flags name. Without
// an answer, into stays as it is.
func fetchFromService(cmd *cobra.Command, path string, into any) {
	const maxAnswer = 4 << 20
	flag := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
	key, err := clientKey(flag("key-file"))
	if err != nil {
		return
	}

	base, err := url.Parse(cmp.Or(flag("url"), os.Getenv(urlVariable)))
	if err != nil {
		return
	}

	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath(path).String(), http.NoBody) //nolint:gosec // the user names the service
	if err != nil {
		return
	}

	request.Header.Set("Authorization", "Bearer "+key)
	response, err := http.DefaultClient.Do(request) //nolint:gosec // as above
	if err != nil {
		return
	}
	defer response.Body.Close() //nolint:errcheck // it was only read

	if response.StatusCode == http.StatusOK {
		_ = json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(into) // an answer that cannot be read completes to nothing
	}
}
