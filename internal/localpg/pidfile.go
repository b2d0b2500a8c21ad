package localpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The lines of postmaster.pid, counted from zero, that matter here.
const (
	pidLine = iota
	_       // data directory
	_       // start time
	portLine
	socketLine
)

func pidFilePath(dataDir string) string { return filepath.Join(dataDir, "postmaster.pid") }

// readPIDFile reads postmaster.pid; a pid of 0 means that the file is missing or has no
// valid pid.
func readPIDFile(dataDir string) (pid int, at address, err error) {
	text, err := os.ReadFile(pidFilePath(dataDir))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, address{}, nil
	}

	if err != nil {
		return 0, address{}, fmt.Errorf("reading postmaster.pid: %w", err)
	}

	lines := strings.Split(string(text), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(lines[pidLine]))
	if err != nil || pid <= 0 {
		return 0, address{}, nil //nolint:nilerr // Postgres itself handles a broken file
	}

	if len(lines) > socketLine {
		at = address{dir: strings.TrimSpace(lines[socketLine]), port: strings.TrimSpace(lines[portLine])}
	}

	return pid, at, nil
}

// findRunning returns the pid and address of a postmaster that already serves the
// data directory, or 0. The caller holds the lock. A postmaster.pid whose number
// now belongs to another program is removed, because Postgres would take that
// program for a postmaster and refuse to start. Orphaned backends are still detected,
// by their shared memory.
func findRunning(dataDir string) (pid int, at address, err error) {
	pid, at, err = readPIDFile(dataDir)
	if err != nil || pid == 0 || !processAlive(pid) {
		return 0, address{}, err
	}

	if !processServes(pid, dataDir) {
		if err := os.Remove(pidFilePath(dataDir)); err != nil {
			return 0, address{}, fmt.Errorf("removing stale postmaster.pid: %w", err)
		}

		return 0, address{}, nil
	}

	if at.dir == "" || at.port == "" {
		// It has not written its address yet, or it does not listen.
		at = address{dir: socketDirFor(dataDir), port: socketPort}
	}

	return pid, at, nil
}
