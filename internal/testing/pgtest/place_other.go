//go:build unix && !linux

package pgtest

import "os"

// chooseParentDir returns the parent directory of the shared server.
func chooseParentDir() string { return os.TempDir() }
