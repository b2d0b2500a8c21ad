//go:build unix && !linux

package pgtest

import "os"

// chooseParentDir answers where the shared server lives.
func chooseParentDir() string { return os.TempDir() }
