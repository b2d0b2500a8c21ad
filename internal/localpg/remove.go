package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Remove deletes a cluster for good: it stops a postmaster that a killed owner
// left running on Options.DataDir and removes the data directory with all files
// beside it. A missing cluster is not an error; ErrInUse means that a live
// process owns it.
func Remove(ctx context.Context, o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}

	if o.DataDir, err = canonicalDataDir(o.DataDir); err != nil {
		return err
	}

	s := &Server{options: o}
	if err := s.takeLock(); err != nil {
		return err
	}

	defer func() { _ = s.releaseLock() }()

	pid, at, err := findRunning(o.DataDir)
	if err != nil {
		return err
	}

	if pid != 0 {
		p, err := adoptPostmaster(pid, at)
		if err == nil {
			err = s.shutDown(ctx, p)
		}

		if err != nil {
			return err
		}
	}

	socketDir := socketDirFor(o.DataDir)
	clearSocket(socketDir)
	_ = os.Remove(socketDir)
	errs := removeUnfinished(o.DataDir)
	for _, path := range []string{o.DataDir, o.DataDir + logSuffix, o.DataDir + oldLogSuffix, o.DataDir + lockSuffix} {
		if err := os.RemoveAll(path); err != nil {
			errs = errors.Join(errs, fmt.Errorf("removing cluster: %w", err))
		}
	}

	return errs
}
