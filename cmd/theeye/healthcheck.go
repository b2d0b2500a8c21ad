package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/config"
)

// newHealthcheck makes the probe of images that hold nothing but this program.
func newHealthcheck() *cobra.Command {
	const patience = 3 * time.Second
	var base string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Ask the service on this machine whether it is ready; 0 when it is, 1 when it is not", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
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

	cmd.Flags().StringVar(&base, "ops", "", "Ask at this `URL`, such as http://127.0.0.1:8081; by default where ops.listen says")
	cmd.Flags().DurationVar(&timeout, "timeout", patience, "How long the answer may take")
	return cmd
}

// opsURL is where a service that listens at an address is reached from its own machine.
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

// fetchReady returns what a ready service says; its error holds what another one says.
func fetchReady(ctx context.Context, url string) (string, error) {
	const most = 4 << 10
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", usageError{fmt.Errorf("--ops: %w", err)}
	}

	// A proxy that the environment names has no business between the two.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("the service does not answer: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read

	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}

	if response.StatusCode != http.StatusOK {
		return "", errors.New("the service is not ready: " + response.Status + "\n" + strings.TrimSpace(string(body)))
	}

	return string(body), nil
}
