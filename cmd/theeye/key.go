package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/browsersdk"
)

func newKey() *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Manage the keys of applications"}
	list := newAdminCommand("list APPLICATION", "List an application's keys, without their secrets", 1,
		func(ctx context.Context, a *access.Registry, args []string) ([]access.Key, error) {
			return a.ListKeys(ctx, args[0])
		}, showKeys)
	revoke := newAdminCommand("revoke APPLICATION KEY_ID", "Revoke a key; every replica rejects it within 5 s", 2,
		func(ctx context.Context, a *access.Registry, args []string) (map[string]string, error) {
			return map[string]string{"revoked": args[1]}, a.RevokeKey(ctx, args[0], args[1])
		}, func(w *tabwriter.Writer, answer map[string]string) {
			fmt.Fprintf(w, "revoked %s\n", answer["revoked"]) //nolint:errcheck // Flush returns the error
		})
	cmd.AddCommand(newKeyCreate(), list, revoke, newKeyBootstrap())
	return cmd
}

// keyFlags are the flags of key create.
type keyFlags struct {
	spec     access.KeySpec
	scopes   []string
	lifetime time.Duration
	rate     int
}

func newKeyCreate() *cobra.Command {
	var f keyFlags
	var cmd *cobra.Command
	cmd = newAdminCommand("create APPLICATION", "Create a key and print it, once; every replica accepts it within access.refresh, 1 s by default", 1,
		func(ctx context.Context, a *access.Registry, args []string) (access.CreatedKey, error) {
			made, err := a.CreateKey(ctx, args[0], f.toSpec(cmd))
			if err != nil || !made.Public {
				return made, err
			}

			explainPublicKey(cmd, made.Text)
			if !made.AnyOrigin {
				err = warnWithoutOrigins(ctx, cmd, a, args[0])
			}

			return made, err
		}, func(w *tabwriter.Writer, made access.CreatedKey) {
			fmt.Fprintf(w, "%s\n", made.Text) //nolint:errcheck // Flush returns the error
		})
	flags := cmd.Flags()
	flags.StringSliceVar(&f.scopes, "scope", []string{"ingest"}, "Scopes of the key: ingest, read, admin")
	flags.BoolVar(&f.spec.OrganisationWide, "organisation-wide", false, "Let the key read the events of all applications")
	flags.StringVar(&f.spec.Description, "description", "", "What the key is for")
	flags.DurationVar(&f.lifetime, "expires-in", 0, "Lifetime of the key; 0 means that it does not expire")
	flags.BoolVar(&f.spec.Public, "public", false, "Create a public key, for pages and apps; it may only send events, from the allowed origins of the application")
	flags.BoolVar(&f.spec.AnyOrigin, "any-origin", false, "Let a public key be used from everywhere, as by native apps")
	flags.BoolVar(&f.spec.RegisteredOnly, "registered-only", false, "Let a public key send only events of registered types")
	flags.IntVar(&f.rate, "rate-limit", access.DefaultPublicRate, "Events a second from one address with a public key; ten seconds' worth may come at once")
	cmd.MarkFlagsMutuallyExclusive("public", "scope")
	cmd.MarkFlagsMutuallyExclusive("public", "organisation-wide")
	return cmd
}

// toSpec returns what the flags ask for. The registry validates it.
func (f *keyFlags) toSpec(cmd *cobra.Command) access.KeySpec {
	spec := f.spec
	if !spec.Public {
		for _, scope := range f.scopes {
			spec.Scopes = append(spec.Scopes, access.Scope(scope))
		}
	}

	if f.lifetime != 0 {
		at := time.Now().Add(f.lifetime)
		spec.ExpiresAt = &at
	}

	if cmd.Flags().Changed("rate-limit") {
		spec.RateLimit = &f.rate
	}

	return spec
}

// explainPublicKey prints what a page needs beside the key, which goes to standard output alone.
func explainPublicKey(cmd *cobra.Command, key string) {
	const page = `In each page, with the address of your service:
  <script src="https://eye.example.com/eye.js" data-key="%s" async></script>
or, to run only the script of this release, with
  integrity="%s" crossorigin="anonymous"
`
	fmt.Fprintf(cmd.ErrOrStderr(), page, key, browsersdk.Integrity()) //nolint:errcheck // the key itself goes to standard output
}

// warnWithoutOrigins says that a public key cannot be used yet.
func warnWithoutOrigins(ctx context.Context, cmd *cobra.Command, a *access.Registry, name string) error {
	application, err := a.FindApplication(ctx, name)
	if err != nil {
		return err
	}

	if len(application.AllowedOrigins) == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "The application %[1]s has no allowed origins, so no page may use the key yet:\n  theeye app update %[1]s --allowed-origin https://www.example.com\n", name) //nolint:errcheck // as above
	}

	return nil
}

func showKeys(w *tabwriter.Writer, keys []access.Key) {
	fmt.Fprintln(w, "KEY ID\tSCOPES\tORGANISATION-WIDE\tCREATED\tSTATE\tDESCRIPTION") //nolint:errcheck // Flush returns the error
	for _, key := range keys {
		state := "active"
		switch {
		case key.RevokedAt != nil:
			state = "revoked"
		case key.ExpiresAt != nil && key.ExpiresAt.Before(time.Now()):
			state = "expired"
		}

		fmt.Fprintf(w, "%s\t%s\t%t\t%s\t%s\t%s\n", key.ID, describeScopes(&key), key.OrganisationWide, //nolint:errcheck // as above
			key.CreatedAt.UTC().Format(time.RFC3339), state, key.Description)
	}
}

func describeScopes(key *access.Key) string {
	if key.Public {
		return "public"
	}

	scopes := make([]string, len(key.Scopes))
	for i, scope := range key.Scopes {
		scopes[i] = string(scope)
	}

	return strings.Join(scopes, ",")
}
