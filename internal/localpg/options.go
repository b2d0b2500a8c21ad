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
	// privateFileMode is that of the log: Postgres writes rows into it that it refused.
	privateFileMode = 0o600
)

// Options says which Postgres to run and where. The zero value of every field
// but DataDir is usable.
type Options struct {
	// DataDir is the cluster's directory; it is created when missing. Start needs
	// it; Find reads it, when set, to prefer binaries of the major that made it.
	DataDir string
	// BinDir is the folder holding initdb and postgres (--pg-bin). When set,
	// nothing else is tried. Default: search, then fetch.
	BinDir string
	// CacheDir is where fetched binaries are kept. Default: the user's cache
	// directory, or /var/cache/theeye for root, whose own cache directory the
	// account running Postgres cannot enter.
	CacheDir string
	// Durable keeps fsync, synchronous_commit and full_page_writes on. Without it
	// a crash of the machine corrupts the cluster: for throw-away tests only.
	Durable bool
	// DieWithParent ends the postmaster at once (SIGQUIT) when this process dies.
	// Tests set it so that a killed test leaves nothing behind.
	DieWithParent bool
	// Settings are server parameters; they win over the package's own. One that is empty
	// is left to the server's files, where it can be changed while the server runs.
	Settings map[string]string
	// User is the superuser's role name. Default: theeye.
	User string
	// StartTimeout bounds the wait for readiness, crash recovery included.
	// Default: 60 s.
	StartTimeout time.Duration
	// Logger hears about starts, stops and adoptions. Default: silence.
	Logger *zap.Logger
}

// withDefaults fills what was left empty and makes every path absolute.
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
// links, because the postmaster is later recognised by comparing this very path
// with the one it works in.
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

// serverArgs is the postmaster's command line. Parameters are given here and not
// in postgresql.conf so that a data directory never remembers an old choice.
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
		if value == "" { // what stands on the command line cannot be changed while the server runs
			delete(settings, name)
		}
	}

	args := []string{"-D", o.DataDir}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}

	return args
}
