package localpg

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

const (
	defaultUser         = "theeye"
	defaultStartTimeout = 60 * time.Second
	dirMode             = 0o755
	privateDirMode      = 0o700
	fileMode            = 0o644
	// privateFileMode is the mode of the log, because Postgres logs rows that it refused.
	privateFileMode = 0o600
)

// Options says which Postgres to run and where. The zero value of every field
// except DataDir is usable.
type Options struct {
	// DataDir is the cluster's directory; it is created when missing. Start needs
	// it; FindBinaries reads it, if set, to prefer binaries of the major that created it.
	DataDir string
	// BinDir is the folder of initdb and postgres (--pg-bin). If set, no other
	// folder is tried. Default: search, then fetch.
	BinDir string
	// CacheDir is the directory of fetched binaries. Default: the user's cache
	// directory, or /var/cache/theeye for root, because the account of Postgres
	// cannot enter root's own cache directory.
	CacheDir string
	// Durable keeps fsync, synchronous_commit and full_page_writes on. Without it
	// a crash of the machine corrupts the cluster: for temporary tests only.
	Durable bool
	// DieWithParent ends the postmaster at once (SIGQUIT) when this process dies.
	// Tests set it so that a killed test leaves nothing behind.
	DieWithParent bool
	// Settings are server parameters; they override the package's own. An empty value leaves
	// the parameter to the server's files, where it can be changed while the server runs.
	Settings map[string]string
	// User is the superuser's role name. Default: theeye.
	User string
	// StartTimeout bounds the wait for readiness, crash recovery included.
	// Default: 60 s.
	StartTimeout time.Duration
	// Logger receives starts, stops and adoptions. Default: no log.
	Logger *zap.Logger
}

// withDefaults fills empty fields and makes every path absolute.
func (o Options) withDefaults() (Options, error) {
	if o.User == "" {
		o.User = defaultUser
	}

	if o.StartTimeout <= 0 {
		o.StartTimeout = defaultStartTimeout
	}

	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}

	o.Settings = maps.Clone(o.Settings)
	for _, dir := range []*string{&o.DataDir, &o.BinDir, &o.CacheDir} {
		if *dir == "" {
			continue
		}

		abs, err := filepath.Abs(*dir)
		if err != nil {
			return o, fmt.Errorf("resolving %s: %w", *dir, err)
		}

		*dir = abs
	}

	return o, nil
}

// canonicalDataDir creates the data directory's parent and resolves symbolic
// links, because the postmaster is later recognised by comparing this path with its
// working directory.
func canonicalDataDir(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("no data directory given")
	}

	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, dirMode); err != nil {
		return "", fmt.Errorf("creating the data directory's parent: %w", err)
	}

	resolved, err := filepath.EvalSymlinks(dir)
	if err == nil {
		return resolved, nil
	}

	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("resolving data directory: %w", err)
	}

	if parent, err = filepath.EvalSymlinks(parent); err != nil {
		return "", fmt.Errorf("resolving data directory: %w", err)
	}

	return filepath.Join(parent, filepath.Base(dir)), nil
}

// serverArgs returns the postmaster's command line. Parameters are given here rather than
// in postgresql.conf, so that a data directory never keeps an old choice.
func (o Options) serverArgs(socketDir string, walCompression string) []string {
	settings := map[string]string{
		"shared_buffers":          "256MB",
		"max_connections":         "100",
		"max_wal_size":            "2GB",
		"log_line_prefix":         "%m [%p] %q%u@%d ",
		"listen_addresses":        "",
		"unix_socket_directories": socketDir,
		"unix_socket_permissions": "0700",
		"port":                    socketPort,
	}
	if o.Durable {
		settings["wal_compression"] = walCompression
		settings["fsync"] = "on"
		settings["synchronous_commit"] = "on"
		settings["full_page_writes"] = "on"
	} else {
		settings["fsync"] = "off"
		settings["synchronous_commit"] = "off"
		settings["full_page_writes"] = "off"
	}

	maps.Copy(settings, o.Settings)
	for name, value := range o.Settings {
		if value == "" { // a parameter on the command line cannot be changed while the server runs
			delete(settings, name)
		}
	}

	args := []string{"-D", o.DataDir}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}

	return args
}
