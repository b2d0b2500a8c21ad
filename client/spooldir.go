package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const dirMode = 0o700

// makeDir makes the directory of a spool, and those above it, as far as they are missing. sync
// is called for each directory that has got a new name: without it a power cut could take the
// spool away as a whole.
func makeDir(dir string, sync func(dir string) error) error {
	missing := findMissing(dir)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return fmt.Errorf("client: make the directory of the spool: %w", err)
	}

	for _, made := range missing {
		if err := sync(filepath.Dir(made)); err != nil {
			return fmt.Errorf("client: wait for the disk to have the directory of the spool: %w", err)
		}
	}

	return nil
}

// findMissing returns what is missing of a directory and those above it.
func findMissing(dir string) (missing []string) {
	for path := filepath.Clean(dir); ; path = filepath.Dir(path) {
		_, err := os.Stat(path)
		if !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return missing
		}

		missing = append(missing, path)
	}
}
