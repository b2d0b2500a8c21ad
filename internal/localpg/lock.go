package localpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

const lockSuffix = ".lock"

// ErrInUse is returned when another live process owns the data directory.
var ErrInUse = errors.New("another theeye runs on this data directory")

// lockDataDir acquires the exclusive lock that a Server holds while it owns the directory.
// The kernel releases it with the process, so a killed owner never leaves one; the
// postmaster does not inherit the descriptor.
func lockDataDir(dataDir string, acc account) (*os.File, error) {
	path := dataDir + lockSuffix
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("opening lock: %w", err)
	}

	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		err = checkLockFile(path, file)
	}

	if err == nil {
		err = acc.chownPath(path)
	}

	if err == nil {
		return file, nil
	}

	err = errors.Join(err, file.Close())
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w: %s", ErrInUse, dataDir)
	}

	return nil, fmt.Errorf("locking %s: %w", path, err)
}

// unlockFile releases the lock. Closing alone would not release it at once: a process that
// is just being started holds all descriptors of this one for a moment.
func unlockFile(file *os.File) error {
	return errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close())
}

// checkLockFile rejects a lock on a file that Remove has unlinked meanwhile, because it would
// not exclude the process that creates the next file.
func checkLockFile(path string, file *os.File) error {
	held, err := file.Stat()
	if err != nil {
		return fmt.Errorf("reading lock: %w", err)
	}

	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && !os.SameFile(held, there)) {
		return ErrInUse
	}

	if err != nil {
		return fmt.Errorf("reading lock: %w", err)
	}

	return nil
}
