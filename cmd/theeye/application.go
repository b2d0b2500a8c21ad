package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/the-eye-events/the-eye/internal/access"
)

func newApplication() *cobra.Command {
	cmd := &cobra.Command{Use: "app", Short: "Manage applications, the systems that send events"}
	var spec access.ApplicationSpec
	rate := 0
	create := newAdminCommand("create NAME", "Create an application", 1,
		func(ctx context.Context, a *access.Registry, args []string) (access.Application, error) {
			spec.Name = args[0]
			if rate != 0 {
				spec.RateLimit = &rate
			}

			return a.CreateApplication(ctx, spec)
		}, func(w *tabwriter.Writer, made access.Application) { showApplications(w, []access.Application{made}) })
	bindRateLimit(create, &rate)
	create.Flags().StringSliceVar(&spec.AllowedOrigins, "allowed-origin", nil, originUsage)
	list := newAdminCommand("list", "List the applications", 0,
		func(ctx context.Context, a *access.Registry, _ []string) ([]access.Application, error) {
			return a.ListApplications(ctx)
		}, showApplications)
	cmd.AddCommand(
		create,
		list,
		newApplicationUpdate(),
		newApplicationSwitch("disable NAME", "Reject an application's keys", true),
		newApplicationSwitch("enable NAME", "Accept an application's keys again", false),
	)
	return cmd
}

const originUsage = "An `ORIGIN` from which browsers may call, such as https://www.example.com; may be repeated. '*' (quoted) allows any"

// newApplicationUpdate changes the given members and leaves the rest.
func newApplicationUpdate() *cobra.Command {
	var rate int
	var unlimited, noOrigin, disable, enable bool
	var origins []string
	var flags *pflag.FlagSet
	cmd := newAdminCommand("update NAME", "Change an application; members without a flag stay as they are", 1,
		func(ctx context.Context, a *access.Registry, args []string) (access.Application, error) {
			var patch access.ApplicationPatch
			if disable || enable {
				patch.Disabled = access.Some(disable)
			}

			if flags.Changed("rate-limit") || unlimited {
				patch.RateLimit = newRateLimit(rate)
			}

			if len(origins) > 0 || noOrigin {
				patch.AllowedOrigins = access.Some(origins)
			}

			if patch.IsEmpty() {
				return access.Application{}, usageError{errors.New("nothing to change: give --rate-limit, --no-rate-limit, --allowed-origin, --no-allowed-origin, --disable or --enable")}
			}

			return a.UpdateApplication(ctx, args[0], patch)
		}, func(w *tabwriter.Writer, changed access.Application) {
			showApplications(w, []access.Application{changed})
		})
	flags = cmd.Flags()
	bindRateLimit(cmd, &rate)
	flags.BoolVar(&unlimited, "no-rate-limit", false, "Remove the rate limit")
	flags.StringSliceVar(&origins, "allowed-origin", nil, originUsage+". Replaces the previous origins")
	flags.BoolVar(&noOrigin, "no-allowed-origin", false, "Allow no browser to call")
	flags.BoolVar(&disable, "disable", false, "Reject the application's keys")
	flags.BoolVar(&enable, "enable", false, "Accept the application's keys again")
	for _, pair := range [][2]string{{"rate-limit", "no-rate-limit"}, {"allowed-origin", "no-allowed-origin"}, {"disable", "enable"}} {
		cmd.MarkFlagsMutuallyExclusive(pair[0], pair[1])
	}

	return cmd
}

// rateLimit is the value of a flag for a rate limit. It checks the bounds before anything is
// done, so that the error names the flags of the command and not the members of the API.
type rateLimit struct{ rate *int }

func bindRateLimit(cmd *cobra.Command, into *int) {
	cmd.Flags().Var(rateLimit{into}, "rate-limit", "Events per second; 0 means no limit")
}

// String implements pflag.Value.
func (r rateLimit) String() string {
	if r.rate == nil {
		return "0"
	}

	return strconv.Itoa(*r.rate)
}

// Type implements pflag.Value.
func (r rateLimit) Type() string { return "int" }

// Set implements pflag.Value.
func (r rateLimit) Set(text string) error {
	rate, err := strconv.Atoi(text)
	if err != nil || rate < 0 || rate > access.MaxRateLimit {
		return fmt.Errorf("a rate limit is a whole number of events per second up to %d; 0 means no limit", access.MaxRateLimit)
	}

	*r.rate = rate
	return nil
}

// newRateLimit is the rate limit that a flag asks for; 0 removes the limit.
func newRateLimit(rate int) access.Optional[int] {
	if rate == 0 {
		return access.Null[int]()
	}

	return access.Some(rate)
}

func newApplicationSwitch(use, short string, disabled bool) *cobra.Command {
	return newAdminCommand(use, short, 1,
		func(ctx context.Context, a *access.Registry, args []string) (access.Application, error) {
			return a.UpdateApplication(ctx, args[0], access.ApplicationPatch{Disabled: access.Some(disabled)})
		}, func(w *tabwriter.Writer, changed access.Application) {
			showApplications(w, []access.Application{changed})
		})
}

func showApplications(w *tabwriter.Writer, applications []access.Application) {
	fmt.Fprintln(w, "NAME\tDISABLED\tRATE LIMIT\tALLOWED ORIGINS") //nolint:errcheck // Flush returns the error
	for _, one := range applications {
		rate := "none"
		if one.RateLimit != nil {
			rate = fmt.Sprintf("%d/s", *one.RateLimit)
		}

		fmt.Fprintf(w, "%s\t%t\t%s\t%s\n", one.Name, one.Disabled, rate, strings.Join(one.AllowedOrigins, " ")) //nolint:errcheck // as above
	}
}
