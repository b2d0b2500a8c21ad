package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/config"
)

// newHealthcheck builds the probe for images that hold only this program.
func newHealthcheck() *cobra.Command {
	const patience = 3 * time.Second
	var base string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Check whether the service on this machine is ready; exits with 0 or 1",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if base == "" && !cmd.Flags().Changed("ops-listen") {
				base = os.Getenv(opsURLVariable)
			}

			if base == "" {
				c, err := loadConfig(cmd)
				if err != nil {
					return err
				}

				if base, err = opsURL(c.Ops.Listen); err != nil {
					return err
				}
			}

			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()

			answer, err := fetchReady(ctx, strings.TrimSuffix(base, "/")+"/readyz")
			if err != nil {
				return err
			}

			return printText(cmd, answer)
		},
	}
	config.BindFlags(cmd.Flags())
	for _, setting := range config.Settings() {
		cmd.Flags().Lookup(setting.Flag).Hidden = setting.Key != "ops.listen"
	}

	cmd.Flags().StringVar(&base, "ops", "", "Call the ops port at this `URL`, such as http://127.0.0.1:8081 (variable "+opsURLVariable+"); without one, at ops.listen")
	cmd.Flags().DurationVar(&timeout, "timeout", patience, "Time limit for the answer")
	return cmd
}

// opsURL returns the URL by which a service that listens at an address is reached from its
// own machine.
func opsURL(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("read ops.listen: %w", err)
	}

	if address := net.ParseIP(host); host == "" || address != nil && address.IsUnspecified() {
		host = "127.0.0.1"
		if address != nil && address.To4() == nil {
			host = "::1"
		}
	}

	return "http://" + net.JoinHostPort(host, port), nil
}

// fetchReady returns the answer of a ready service. For a service that is not ready, the
// error holds the answer.
func fetchReady(ctx context.Context, url string) (string, error) {
	const maxAnswer = 4 << 10
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", usageError{fmt.Errorf("--ops or %s: %w", opsURLVariable, err)}
	}

	// Without a proxy, even if the environment names one: the service is on this machine.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("the service does not answer: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read

	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}

	if response.StatusCode != http.StatusOK {
		return "", errors.New("the service is not ready: " + response.Status + "\n" + strings.TrimSpace(string(body)))
	}

	return string(body), nil
}
