//go:build unix && !linux

package pgtest

import "os"

// place answers where the shared server lives.
func place() string { return os.TempDir() }
