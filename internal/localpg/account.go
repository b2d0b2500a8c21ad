package localpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// account is the operating system account that Postgres runs as. Postgres refuses to
// run as root, so root runs it as another account.
type account struct {
	name   string
	uid    uint32
	gid    uint32
	groups []uint32
	// drop means that this process is root and must change to the account.
	drop bool
}

// chooseAccount returns the account of the postmaster: this process's own user; for root,
// the owner of an existing data directory, or the user "postgres" or "nobody".
func chooseAccount(dataDir string) (account, error) {
	owner, found, err := ownerOf(dataDir)
	if err != nil {
		return account{}, err
	}

	self := os.Geteuid()
	if self != 0 {
		if found && int(owner) != self {
			return account{}, fmt.Errorf(
				"data directory %s belongs to uid %d and this is uid %d: run as its owner or choose another --data-dir",
				dataDir, owner, self)
		}

		return account{name: "the current user"}, nil
	}

	if found && owner != 0 {
		return accountByID(owner), nil
	}

	for _, name := range []string{"postgres", "nobody"} {
		if u, lookupErr := user.Lookup(name); lookupErr == nil {
			return accountOf(u)
		}
	}

	return account{}, errors.New(
		"postgres refuses to run as root and neither the user postgres nor nobody exists: run as another user")
}

// ownerOf reads the owner of a path; found is false when the path is missing.
func ownerOf(path string) (uid uint32, found bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}

	if err != nil {
		return 0, false, fmt.Errorf("reading owner of %s: %w", path, err)
	}

	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false, fmt.Errorf("reading owner of %s: not known on this system", path)
	}

	return stat.Uid, true, nil
}

// accountByID tolerates an owner without a passwd entry: files outlive accounts.
func accountByID(uid uint32) account {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		if acc, err := accountOf(u); err == nil {
			return acc
		}
	}

	return account{name: "uid " + id, uid: uid, gid: uid, drop: true}
}

func accountOf(u *user.User) (account, error) {
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("reading uid of %s: %w", u.Username, err)
	}

	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("reading gid of %s: %w", u.Username, err)
	}

	acc := account{name: u.Username, uid: uint32(uid), gid: uint32(gid), drop: true}
	groups, err := u.GroupIds()
	if err != nil {
		// Supplementary groups only widen access; the primary one is enough.
		return acc, nil //nolint:nilerr // see above
	}

	for _, group := range groups {
		if id, err := strconv.ParseUint(group, 10, 32); err == nil {
			acc.groups = append(acc.groups, uint32(id))
		}
	}

	return acc, nil
}

// prepareCommand makes a command run as the account, in a folder every account may
// enter and without PG* variables, which would redirect initdb or postgres.
func (a account) prepareCommand(cmd *exec.Cmd) {
	cmd.Dir = "/"
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "PG") && !strings.HasPrefix(pair, "LC_") && !strings.HasPrefix(pair, "LANG") {
			cmd.Env = append(cmd.Env, pair)
		}
	}

	cmd.Env = append(cmd.Env, "LC_ALL=C")
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}

	if a.drop {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: a.groups}
	}
}

// chownPath gives a path to the account. Without a change of account it does nothing.
func (a account) chownPath(path string) error {
	if !a.drop {
		return nil
	}

	if err := os.Lchown(path, int(a.uid), int(a.gid)); err != nil {
		return fmt.Errorf("giving %s to %s: %w", path, a.name, err)
	}

	return nil
}

// chownTree gives a directory tree to the account, for one that root copied into place.
func (a account) chownTree(dir string) error {
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}

		return a.chownPath(path)
	})
	if err != nil {
		return fmt.Errorf("giving data directory to %s: %w", a.name, err)
	}

	return nil
}

// findClosedDir names the first directory on the way to dir, dir included, which the
// account may not enter, or "" if there is none. It reads permission bits only: access
// lists are rare on these paths, and after a wrong "" Postgres itself reports the error.
func (a account) findClosedDir(dir string) string {
	if !a.drop {
		return ""
	}

	var way []string
	for at := dir; ; at = filepath.Dir(at) {
		way = append(way, at)
		if at == filepath.Dir(at) {
			break
		}
	}

	for _, at := range slices.Backward(way) {
		info, err := os.Stat(at)
		if err != nil {
			return at
		}

		if !a.mayEnter(info) {
			return at
		}
	}

	return ""
}

func (a account) mayEnter(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}

	mode := info.Mode().Perm()
	switch {
	case stat.Uid == a.uid:
		return mode&0o100 != 0
	case stat.Gid == a.gid || slices.Contains(a.groups, stat.Gid):
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}

// ErrClosed is returned for a data directory that the account of Postgres cannot reach.
// It occurs only for root, because Postgres then runs as another account.
var ErrClosed = errors.New("closed to the account that runs Postgres")

// checkReach returns ErrClosed for a data directory that the account could never reach.
func (a account) checkReach(dir string) error {
	closed := a.findClosedDir(dir)
	if closed == "" {
		return nil
	}

	return fmt.Errorf("directory %s is %w: that is %s, because Postgres refuses root; "+
		"choose a place it can reach with --data-dir, or run as another user", closed, ErrClosed, a.name)
}

// CheckReach checks whether a data directory could be created at dataDir, whose parent
// exists. The error wraps ErrClosed if the account of Postgres cannot reach it. It changes
// nothing.
func CheckReach(dataDir string) error {
	parent, err := filepath.EvalSymlinks(filepath.Dir(dataDir))
	if err != nil {
		return fmt.Errorf("resolving the data directory's parent: %w", err)
	}

	acc, err := chooseAccount(dataDir)
	if err != nil {
		return err
	}

	return acc.checkReach(parent)
}
