//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package client

import (
	"errors"
	"os"
)

// lockFile fails, because this system has no lock that ends with the process in every case.
func lockFile(string) (*os.File, error) {
	return nil, errors.ErrUnsupported
}
