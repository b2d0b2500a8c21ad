package localpg

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

const (
	fetchedVersion = embeddedpostgres.V17
	fetchTimeout   = 60 * time.Second
	rootCacheDir   = "/var/cache/theeye"
)

// cacheDir returns the directory of fetched binaries.
func (o Options) cacheDir() (string, error) {
	if o.CacheDir != "" {
		return o.CacheDir, nil
	}

	if os.Geteuid() == 0 {
		return rootCacheDir, nil
	}

	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("locating cache directory: %w", err)
	}

	return filepath.Join(dir, "theeye"), nil
}

// fetchBinaries returns the folder of cached binaries. It fetches them if they are
// missing, in a bounded time.
func fetchBinaries(ctx context.Context, cacheDir string) (string, error) {
	return fetchFrom(ctx, cacheDir, embeddedpostgres.DefaultConfig())
}

func fetchFrom(ctx context.Context, cacheDir string, config embeddedpostgres.Config) (string, error) {
	dir := filepath.Join(cacheDir, "postgres-"+string(fetchedVersion))
	binDir := filepath.Join(dir, "bin")
	if _, err := os.Stat(filepath.Join(binDir, "postgres")); err == nil {
		return binDir, nil
	}

	if err := os.MkdirAll(cacheDir, dirMode); err != nil {
		return "", fmt.Errorf("creating cache: %w", err)
	}

	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()

	// The library has no context parameter, so an abandoned fetch continues in the background;
	// its folder is private and the channel has room for its late result.
	done := make(chan error, 1)
	go func() { done <- extractBinaries(cacheDir, dir, config) }()
	select {
	case err := <-done:
		return binDir, err
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for the download: %w", ctx.Err())
	}
}

// extractBinaries makes the library fetch and unpack into a scratch folder, then renames
// that folder, so that a cache is either absent or complete.
func extractBinaries(cacheDir, dir string, config embeddedpostgres.Config) error {
	scratch, err := os.MkdirTemp(cacheDir, ".fetch-*")
	if err != nil {
		return fmt.Errorf("creating cache: %w", err)
	}

	defer func() { _ = os.RemoveAll(scratch) }()

	unpacked := filepath.Join(scratch, "postgres")
	blocker := filepath.Join(scratch, "blocker")
	if err := os.WriteFile(blocker, nil, fileMode); err != nil {
		return fmt.Errorf("creating cache: %w", err)
	}

	// The library unpacks only in order to start a server. A data path below a regular
	// file stops it right after unpacking, before it runs anything; so its error matters
	// only if the binaries are missing.
	startErr := embeddedpostgres.NewDatabase(config.
		Version(fetchedVersion).
		Port(0).
		CachePath(cacheDir).
		BinariesPath(unpacked).
		RuntimePath(filepath.Join(scratch, "run")).
		DataPath(filepath.Join(blocker, "data")).
		Logger(io.Discard)).Start()
	if _, err := os.Stat(filepath.Join(unpacked, "bin", "postgres")); err != nil {
		return fmt.Errorf("downloading: %w", startErr)
	}

	if err := os.Chmod(unpacked, dirMode); err != nil {
		return fmt.Errorf("opening cache: %w", err)
	}

	if err := os.Rename(unpacked, dir); err != nil {
		// Another process was faster; its copy is equivalent.
		if _, statErr := os.Stat(filepath.Join(dir, "bin", "postgres")); statErr == nil {
			return nil
		}

		return fmt.Errorf("storing fetched binaries: %w", err)
	}

	return nil
}
