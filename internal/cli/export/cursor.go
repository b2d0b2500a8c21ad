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

// ReadCursor reads the cursor from a file. Without the file there is no cursor.
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

// writeCursor replaces the file atomically, after the new one is complete on disk.
func writeCursor(path, cursor string) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("save the cursor: %w", err)
	}

	_, err = file.WriteString(cursor + "\n")
	if err == nil {
		err = file.Sync()
	}

	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}

	if err != nil {
		return fmt.Errorf("save the cursor: %w", errors.Join(err, os.Remove(file.Name())))
	}

	return nil
}

// syncOutput makes sure that written events are on disk, if the output is a file: a pipe and
// a terminal have nothing to sync.
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
