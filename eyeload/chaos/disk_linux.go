package chaos

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// disk is a small disk, in memory, that can be filled.
type disk struct{ dir string }

// newDisk mounts a disk that belongs to the owner of another folder. It needs root.
func newDisk(dir, like string) (*disk, error) {
	if err := os.Mkdir(dir, dirMode); err != nil {
		return nil, fmt.Errorf("make the folder of the small disk: %w", err)
	}

	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m"); err != nil {
		return nil, fmt.Errorf("mount a small disk, which needs root: %w", err)
	}

	d := &disk{dir: dir}
	info, err := os.Stat(like)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("find the account of Postgres: %w", err), d.unmount())
	}

	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		err = errors.Join(os.Chown(dir, int(stat.Uid), int(stat.Gid)), os.Chmod(dir, 0o700)) //nolint:gosec // the permissions that Postgres requires
	}

	if err != nil {
		return nil, errors.Join(fmt.Errorf("give the small disk to Postgres: %w", err), d.unmount())
	}

	return d, nil
}

func (d *disk) fillerPath() string { return filepath.Join(d.dir, "ballast") }

// fillUp uses up all free space.
func (d *disk) fillUp() error {
	file, err := os.Create(d.fillerPath())
	if err != nil {
		return fmt.Errorf("fill the small disk: %w", err)
	}
	defer file.Close() //nolint:errcheck // its content does not matter

	_, err = io.Copy(file, zeros{})
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("fill the small disk: it is not full: %w", err)
	}

	return nil
}

// freeSpace makes the space free again.
func (d *disk) freeSpace() error {
	if err := os.Remove(d.fillerPath()); err != nil {
		return fmt.Errorf("empty the small disk: %w", err)
	}

	return nil
}

func (d *disk) unmount() error {
	if err := syscall.Unmount(d.dir, syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the small disk: %w", err)
	}

	return nil
}

type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(b []byte) (int, error) {
	clear(b)

	return len(b), nil
}
