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

// passable lets every account pass through a folder, without letting it list what is there.
const passable = 0o711

// PrepareDataDir makes the data directory, readable by its owner alone but for the
// account that Postgres runs under.
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

// databaseDir answers where the database is kept: in DataDir, or where a link there leads.
// The link is made, with the folder that it leads to, when the account which runs Postgres
// could not reach DataDir.
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
		return "", fmt.Errorf("link the data directory to its place: %w", err)
	}

	return target, nil
}

// fallbackPath derives a place of its own for each DataDir, so that it is found again when
// the link is lost.
func (o *DevOptions) fallbackPath() string {
	const enough = 6
	sum := sha256.Sum256([]byte(o.DataDir))
	return filepath.Join(o.FallbackDir, "theeye-dev-"+hex.EncodeToString(sum[:enough]), "postgres")
}

// makeParent makes the folder that a database elsewhere is in.
func (o *DevOptions) makeParent(target string) error {
	if err := os.MkdirAll(filepath.Dir(target), passable); err != nil {
		return fmt.Errorf("make the place of the database: %w", err)
	}

	return nil
}
