//go:build unix && !linux

package chaos

import "errors"

var errNoDisk = errors.New("a small disk can be mounted on Linux only")

// disk stands for a small disk that can be filled; there is none on this system.
type disk struct{ dir string }

func newDisk(string, string) (*disk, error) { return nil, errNoDisk }

func (*disk) fillUp() error    { return errNoDisk }
func (*disk) freeSpace() error { return errNoDisk }
func (*disk) unmount() error   { return nil }
