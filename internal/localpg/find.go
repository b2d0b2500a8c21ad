package localpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// oldestMajor is the oldest Postgres major that the service supports.
const oldestMajor = 14

const versionTimeout = 10 * time.Second

// npmFolder is the folder below the cache into which scripts/npm-postgres puts the
// binaries of each major.
const npmFolder = "npm"

// ErrNotFound is returned when no usable server binaries exist and none could be
// fetched; its text says what to install.
var ErrNotFound = errors.New("no Postgres server found: install one " +
	"(Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; " +
	"macOS: brew install postgresql@17) or name the folder of its binaries with --pg-bin")

// ErrTooOld is returned for binaries older than Postgres 14.
var ErrTooOld = errors.New("this Postgres is too old, 14 is the oldest supported")

var errIncomplete = errors.New("initdb or postgres is missing")

// binaries is a usable folder of server binaries.
type binaries struct {
	dir   string
	major int
}

// finder says where to look for binaries; tests narrow it.
type finder struct {
	path     string
	patterns []string
	fetch    func(ctx context.Context, cacheDir string) (string, error)
}

func systemFinder() finder {
	return finder{path: os.Getenv("PATH"), patterns: usualFolders(), fetch: fetchBinaries}
}

// usualFolders returns the folders in which distributions install server binaries without
// adding them to PATH. scripts/postgres-places has the same list.
func usualFolders() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/usr/lib/postgresql*/bin",
		"/usr/lib64/postgresql-*/bin",
		"/usr/libexec/postgresql*",
		"/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/opt/local/lib/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	}
}

// FindBinaries returns the folder of the server binaries to use: Options.BinDir if set;
// otherwise the first usable one of $PATH, the distributions' usual folders and the folders
// that scripts/npm-postgres put into Options.CacheDir (newest major first, but the major
// that created Options.DataDir before any other); otherwise binaries fetched into
// Options.CacheDir within a minute. Errors are ErrNotFound, and ErrTooOld or a description
// of the problem with Options.BinDir. It is safe for concurrent use.
func FindBinaries(ctx context.Context, o Options) (binDir string, err error) {
	if o, err = o.withDefaults(); err != nil {
		return "", err
	}

	acc, err := chooseAccount(o.DataDir)
	if err != nil {
		return "", err
	}

	found, err := systemFinder().findBinaries(ctx, o, acc)
	return found.dir, err
}

func (f finder) findBinaries(ctx context.Context, o Options, acc account) (binaries, error) {
	if o.BinDir != "" {
		found, err := inspectFolder(ctx, o.BinDir, acc)
		if err != nil {
			return binaries{}, fmt.Errorf("using --pg-bin %s: %w", o.BinDir, err)
		}

		return found, nil
	}

	wanted, err := preferredMajor(o.DataDir)
	if err != nil {
		return binaries{}, err
	}

	var first binaries
	var unusable error
	for _, dir := range f.listFolders(o) {
		found, err := inspectFolder(ctx, dir, acc)
		switch {
		case errors.Is(err, errIncomplete):
		case err != nil:
			unusable = errors.Join(unusable, fmt.Errorf("%s: %w", dir, err))
		case wanted == 0 || found.major == wanted:
			return found, nil
		case first.dir == "":
			first = found
		}
	}

	if first.dir != "" {
		return first, nil
	}

	return f.useFetched(ctx, o, acc, unusable)
}

// useFetched is the last resort; unusable describes the binaries that were found but cannot
// be used.
func (f finder) useFetched(ctx context.Context, o Options, acc account, unusable error) (binaries, error) {
	cacheDir, err := o.cacheDir()
	if err != nil {
		return binaries{}, fmt.Errorf("%w: %w", ErrNotFound, errors.Join(unusable, err))
	}

	o.Logger.Info("no Postgres installed, downloading it", zap.String("cache", cacheDir))
	dir, err := f.fetch(ctx, cacheDir)
	if err == nil {
		var found binaries
		if found, err = inspectFolder(ctx, dir, acc); err == nil {
			return found, nil
		}
	}

	return binaries{}, fmt.Errorf("%w: fetching one: %w", ErrNotFound, errors.Join(err, unusable))
}

func preferredMajor(dataDir string) (int, error) {
	if dataDir == "" {
		return 0, nil
	}

	return clusterMajor(dataDir)
}

// listFolders lists the folders to inspect, in order.
func (f finder) listFolders(o Options) []string {
	dirs := filepath.SplitList(f.path)
	patterns := slices.Clone(f.patterns)
	if cacheDir, err := o.cacheDir(); err == nil {
		patterns = append(patterns, filepath.Join(cacheDir, npmFolder, "*", "bin"))
	}

	for _, pattern := range patterns {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}

		slices.SortStableFunc(matches, func(a, b string) int {
			return cmp.Compare(majorInPath(b), majorInPath(a))
		})
		dirs = append(dirs, matches...)
	}

	return slices.DeleteFunc(dirs, func(dir string) bool { return !filepath.IsAbs(dir) })
}

// majorInPath returns the major in a folder's path; 0 if there is none.
func majorInPath(dir string) int {
	numbers := regexp.MustCompile(`\d+`).FindAllString(dir, -1)
	if len(numbers) == 0 {
		return 0
	}

	// Only a path such as /usr/lib64/postgresql-17/bin has two: the last counts.
	number, err := strconv.Atoi(numbers[len(numbers)-1])
	if err != nil {
		return 0
	}

	return number
}

// inspectFolder checks that a folder has both programs, that the account can enter it, and
// that the version is new enough.
func inspectFolder(ctx context.Context, dir string, acc account) (binaries, error) {
	for _, name := range []string{"initdb", "postgres"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return binaries{}, errIncomplete
		}
	}

	if closed := acc.findClosedDir(dir); closed != "" {
		return binaries{}, fmt.Errorf("directory %s is closed to the account %s, which runs Postgres", closed, acc.name)
	}

	major, err := serverMajor(ctx, filepath.Join(dir, "postgres"))
	if err != nil {
		return binaries{}, err
	}

	if major < oldestMajor {
		return binaries{}, fmt.Errorf("%w: found %d", ErrTooOld, major)
	}

	return binaries{dir: dir, major: major}, nil
}

func serverMajor(ctx context.Context, program string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()

	output, err := exec.CommandContext(ctx, program, "--version").Output()
	for errors.Is(err, syscall.ETXTBSY) && ctx.Err() == nil {
		// A program just fetched: a process forked meanwhile, and about to exec,
		// still has the file open for writing.
		output, err = exec.CommandContext(ctx, program, "--version").Output()
	}

	if err != nil {
		return 0, fmt.Errorf("reading the version of postgres: %w", err)
	}

	match := regexp.MustCompile(`\(PostgreSQL\) (\d+)`).FindSubmatch(output)
	if match == nil {
		return 0, fmt.Errorf("reading the version of postgres: unexpected answer %q", output)
	}

	major, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return 0, fmt.Errorf("reading the version of postgres: %w", err)
	}

	return major, nil
}
