package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// firstBuiltinLocale is the first Postgres major with the builtin locale provider:
// code point order like C, but with upper and lower case for letters beyond ASCII.
const firstBuiltinLocale = 17

// clusterMajor returns the Postgres major that created the data directory; 0 means that
// there is no cluster yet.
func clusterMajor(dataDir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dataDir, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}

	if err != nil {
		return 0, fmt.Errorf("reading PG_VERSION: %w", err)
	}

	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("reading %s/PG_VERSION: %w", dataDir, err)
	}

	return major, nil
}

// ensureCluster creates the cluster unless it exists. The caller holds the lock.
func ensureCluster(ctx context.Context, o Options, bin binaries, acc account) error {
	if err := removeUnfinished(o.DataDir); err != nil {
		return err
	}

	major, err := clusterMajor(o.DataDir)
	if err != nil {
		return err
	}

	if major == 0 {
		return makeCluster(ctx, o, bin, acc)
	}

	if major != bin.major {
		return fmt.Errorf("data directory %s was created by Postgres %d but the binaries in %s are Postgres %d: "+
			"name a Postgres %d with --pg-bin or another directory with --data-dir",
			o.DataDir, major, bin.dir, bin.major, major)
	}

	if owner, _, err := ownerOf(o.DataDir); err == nil && acc.drop && owner == 0 {
		return acc.chownTree(o.DataDir)
	}

	return nil
}

// makeCluster runs initdb in a sibling directory and renames it into place, so that the
// data directory is either absent or complete, whenever the process is killed.
func makeCluster(ctx context.Context, o Options, bin binaries, acc account) error {
	entries, err := os.ReadDir(o.DataDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading data directory: %w", err)
	}

	exists := err == nil
	if len(entries) > 0 {
		return fmt.Errorf("%s is neither empty nor a Postgres data directory: choose another --data-dir", o.DataDir)
	}

	half, err := os.MkdirTemp(filepath.Dir(o.DataDir), filepath.Base(o.DataDir)+".init-*")
	if err != nil {
		return fmt.Errorf("creating cluster: %w", err)
	}

	err = runInitdb(ctx, half, o, bin, acc)
	if err == nil && exists {
		err = os.Remove(o.DataDir) // os.Rename needs a free name
	}

	if err == nil {
		err = os.Rename(half, o.DataDir)
	}

	if err == nil && o.Durable {
		err = syncDir(filepath.Dir(o.DataDir))
	}

	if err != nil {
		return errors.Join(fmt.Errorf("creating cluster: %w", err), os.RemoveAll(half))
	}

	return nil
}

func runInitdb(ctx context.Context, dir string, o Options, bin binaries, acc account) error {
	if err := acc.chownPath(dir); err != nil {
		return err
	}

	// Trust is acceptable only because nothing listens on the network and the
	// socket's folder has mode 0700: only the account itself can reach the socket.
	args := []string{"-D", dir, "-U", o.User, "--auth=trust", "--encoding=UTF8", "--locale=C"}
	if bin.major >= firstBuiltinLocale {
		args = append(args, "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
	}

	if !o.Durable {
		args = append(args, "--no-sync")
	}

	cmd := exec.CommandContext(ctx, filepath.Join(bin.dir, "initdb"), args...)
	acc.prepareCommand(cmd)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("running initdb: %w\n%s", err, lastLines(string(output)))
	}

	return nil
}

// removeUnfinished removes the remains of an interrupted makeCluster.
func removeUnfinished(dataDir string) error {
	entries, err := os.ReadDir(filepath.Dir(dataDir))
	if err != nil {
		return fmt.Errorf("looking for unfinished clusters: %w", err)
	}

	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), filepath.Base(dataDir)+".init-") {
			continue
		}

		if err := os.RemoveAll(filepath.Join(filepath.Dir(dataDir), entry.Name())); err != nil {
			return fmt.Errorf("removing unfinished cluster: %w", err)
		}
	}

	return nil
}

func syncDir(dir string) error {
	handle, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}

	return errors.Join(handle.Sync(), handle.Close())
}

// walCompression returns lz4 if this build of the server supports it, and otherwise on.
func walCompression(ctx context.Context, dataDir string, bin binaries, acc account) string {
	cmd := exec.CommandContext(ctx, filepath.Join(bin.dir, "postgres"),
		"-D", dataDir, "-C", "wal_compression", "-c", "wal_compression=lz4")
	acc.prepareCommand(cmd)
	if err := cmd.Run(); err != nil {
		return "on"
	}

	return "lz4"
}
