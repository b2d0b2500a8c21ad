package pgtest

import (
	"os"
	"syscall"
)

// place answers where the shared server lives: in memory where there is plenty,
// because some disks take a second for the thousand files of a cluster; else in
// the usual place. Setting TMPDIR decides otherwise.
func place() string {
	const memory, plenty = "/dev/shm", 4 << 30
	var stat syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(memory, &stat) != nil {
		return os.TempDir()
	}
	if stat.Bavail*uint64(stat.Bsize) < plenty { //nolint:gosec // a block size is not negative
		return os.TempDir()
	}
	return memory
}
