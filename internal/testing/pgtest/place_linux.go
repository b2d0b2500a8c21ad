package pgtest

import (
	"os"
	"syscall"
)

// chooseParentDir returns the parent directory of the shared server: in memory if there is
// enough, because some disks take a second for the thousand files of a cluster; otherwise
// the temporary directory. TMPDIR takes precedence.
func chooseParentDir() string {
	const memory, plenty = "/dev/shm", 4 << 30
	if os.Getenv("TMPDIR") != "" || !hasRoom(memory, plenty) {
		return os.TempDir()
	}

	return memory
}

// hasRoom reports whether this process may create files in a folder, and whether it has so
// many bytes left. In a container the folder may have room but be closed or read-only.
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
