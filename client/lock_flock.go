//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package client

import (
	"errors"
	"os"
	"syscall"
)

// lockFile locks a file, which it makes if it is missing, until the returned file is closed or
// the process ends. If another holds the lock, it returns ErrSpoolLocked at once.
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode) //nolint:gosec // the caller's own directory
	if err != nil {
		return nil, err
	}

	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrSpoolLocked
	}

	if err != nil {
		return nil, errors.Join(err, file.Close())
	}

	return file, nil
}
