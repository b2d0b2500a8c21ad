package export

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ReadCursor reads the cursor that a file keeps; a file that is not there yet keeps none.
func ReadCursor(path string) (string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the caller names the file
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}

	if err != nil {
		return "", fmt.Errorf("read the cursor: %w", err)
	}

	return strings.TrimSpace(string(text)), nil
}

// writeCursor replaces a file by one that is on the disk as a whole.
func writeCursor(path, cursor string) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("keep the cursor: %w", err)
	}

	_, err = file.WriteString(cursor + "\n")
	if err == nil {
		err = file.Sync()
	}

	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}

	if err != nil {
		return fmt.Errorf("keep the cursor: %w", errors.Join(err, os.Remove(file.Name())))
	}

	return nil
}

// syncOutput has what was written reach the disk, if that is where it goes: a pipe and a
// terminal have nothing to sync.
func syncOutput(out io.Writer) error {
	file, ok := out.(interface{ Sync() error })
	if !ok {
		return nil
	}

	if err := file.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("write events: %w", err)
	}

	return nil
}
