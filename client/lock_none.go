//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package client

import (
	"errors"
	"fmt"
	"os"
)

// lockFile fails, because this system has no lock that ends with the process in every case.
func lockFile(string) (*os.File, error) {
	return nil, fmt.Errorf("a spool needs Linux, macOS or a BSD; leave Spool empty, and events wait in memory: %w", errors.ErrUnsupported)
}
