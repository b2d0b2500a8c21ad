package limits

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// startProfile starts a CPU profile of the service, if profiles are wanted. The function that
// it returns waits for the end of the profile, which is written to a file named after the load.
func (r *pass) startProfile(ctx context.Context, load string, on *process) (wait func() error) {
	if r.options.Profiles == "" || on != r.service {
		return func() error { return nil }
	}

	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", on.ops, max(int(r.options.For.Seconds()), 1))
	file := filepath.Join(r.options.Profiles, strings.NewReplacer(" ", "-", "/", "-", ",", "").Replace(load)+".pprof")
	done := make(chan error, 1)
	go func() { done <- downloadProfile(ctx, url, file) }()

	return func() error { return <-done }
}

func downloadProfile(ctx context.Context, url, file string) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("request a profile: %w", err)
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("request a profile: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // the body was read

	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("request a profile: %s", response.Status) //nolint:err113 // for a person
	}

	to, err := os.Create(file) //nolint:gosec // the caller names the folder
	if err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}

	defer func() { err = errors.Join(err, to.Close()) }()

	if _, err := io.Copy(to, response.Body); err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}

	return nil
}
