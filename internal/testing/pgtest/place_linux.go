package pgtest

import (
	"os"
	"syscall"
)

// chooseParentDir answers where the shared server lives: in memory where there is plenty,
// because some disks take a second for the thousand files of a cluster; else in
// the usual place. Setting TMPDIR decides otherwise.
func chooseParentDir() string {
	const memory, plenty = "/dev/shm", 4 << 30
	if os.Getenv("TMPDIR") != "" || !hasRoom(memory, plenty) {
		return os.TempDir()
	}

	return memory
}

// hasRoom tells whether this process may make files in a folder, and has so many bytes
// left for them. In a container the folder may have room and be closed, or read-only.
func hasRoom(folder string, bytes uint64) bool {
	const writeAndEnter = 0b011
	if syscall.Access(folder, writeAndEnter) != nil {
		return false
	}

	var stat syscall.Statfs_t
	if syscall.Statfs(folder, &stat) != nil {
		return false
	}

	return stat.Bavail*uint64(stat.Bsize) >= bytes //nolint:gosec // a block size is not negative
}
