package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

// passable lets every account enter a folder, but not list it.
const passable = 0o711

// PrepareDataDir creates the data directory. Only its owner can read it; other accounts,
// such as that of Postgres, can only enter it.
func (o *DevOptions) PrepareDataDir() error {
	absolute, err := filepath.Abs(o.DataDir)
	if err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}

	o.DataDir = absolute
	if err := os.MkdirAll(absolute, passable); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}

	return nil
}

// databaseDir returns the directory of the database: in DataDir, or the target of a link
// there. The link and its target's parent are created if the account of Postgres could not
// reach DataDir.
func (o *DevOptions) databaseDir() (string, error) {
	here := filepath.Join(o.DataDir, "postgres")
	if target, err := os.Readlink(here); err == nil {
		return target, o.makeParent(target)
	}

	if _, err := os.Lstat(here); !errors.Is(err, fs.ErrNotExist) {
		return here, nil
	}

	if o.FallbackDir == "" || !errors.Is(localpg.CheckReach(here), localpg.ErrClosed) {
		return here, nil
	}

	target := o.fallbackPath()
	if err := o.makeParent(target); err != nil {
		return "", err
	}

	if err := os.Symlink(target, here); err != nil {
		return "", fmt.Errorf("link the data directory to its target: %w", err)
	}

	return target, nil
}

// fallbackPath derives a unique path from DataDir, so that the database is found again if
// the link is lost.
func (o *DevOptions) fallbackPath() string {
	const enough = 6
	sum := sha256.Sum256([]byte(o.DataDir))
	return filepath.Join(o.FallbackDir, "theeye-dev-"+hex.EncodeToString(sum[:enough]), "postgres")
}

// makeParent creates the parent folder of a database outside DataDir.
func (o *DevOptions) makeParent(target string) error {
	if err := os.MkdirAll(filepath.Dir(target), passable); err != nil {
		return fmt.Errorf("create the parent folder of the database: %w", err)
	}

	return nil
}
