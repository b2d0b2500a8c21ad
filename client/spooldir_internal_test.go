package client

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
)

// A power cut takes nothing of a spool away: whatever got a new name is on the disk.
func TestTheDiskHasTheDirectoryOfTheSpool(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "shop", "events")
	var synced []string
	note := func(dir string) error {
		synced = append(synced, dir)
		return nil
	}
	if err := makeDir(dir+"/", note); err != nil {
		t.Fatal(err)
	}

	if !slices.Equal(synced, []string{filepath.Dir(dir), root}) {
		t.Fatal(synced)
	}

	if err := makeDir(dir, note); err != nil || len(synced) != 2 {
		t.Fatal("a directory that was there", err, synced)
	}

	failure := errors.New("the disk failed")
	if err := makeDir(filepath.Join(dir, "more"), func(string) error { return failure }); !errors.Is(err, failure) {
		t.Fatal(err)
	}
}
