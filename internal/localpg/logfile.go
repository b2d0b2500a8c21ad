package localpg

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

const (
	maxLogSize   = 16 << 20
	tailBytes    = 16 << 10
	tailLines    = 20
	logSuffix    = ".log"
	oldLogSuffix = ".log.old"
)

// openLog opens the postmaster's log for appending and returns the offset where this
// run's part begins. A log that is too large is renamed first.
func openLog(dataDir string, acc account) (file *os.File, offset int64, err error) {
	path := dataDir + logSuffix
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, 0, fmt.Errorf("reading log: %w", err)
	case info.Size() > maxLogSize:
		if err := os.Rename(path, dataDir+oldLogSuffix); err != nil {
			return nil, 0, fmt.Errorf("renaming the old log: %w", err)
		}
	default:
		offset = info.Size()
	}

	file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, privateFileMode)
	if err != nil {
		return nil, 0, fmt.Errorf("opening log: %w", err)
	}

	// An earlier log may be readable by all accounts.
	if err := errors.Join(file.Chmod(privateFileMode), acc.chownPath(path)); err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}

	return file, offset, nil
}

// logTail returns the last lines written since offset. The error of a failed start contains
// them, so that its reader need not look for the file. If the log cannot be read, the error
// is returned instead of the lines.
func logTail(dataDir string, offset int64) string {
	file, err := os.Open(dataDir + logSuffix)
	if err != nil {
		return err.Error()
	}

	defer func() { _ = file.Close() }()

	if info, err := file.Stat(); err == nil {
		offset = max(offset, info.Size()-tailBytes)
	}

	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return err.Error()
	}

	text, err := io.ReadAll(io.LimitReader(file, tailBytes))
	if err != nil {
		return err.Error()
	}

	return lastLines(string(text))
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
