package localpg

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
)

const (
	// socketPort only names the socket file: nothing listens on the network.
	socketPort = "5432"
	// maxSocketDir leaves room for "/.s.PGSQL.5432.lock" within the 103 bytes
	// that the strictest supported system allows for a socket path.
	maxSocketDir   = 80
	socketHashSize = 6
)

// address is the address of a postmaster's socket.
type address struct {
	dir  string
	port string
}

// dsn returns a connection URL for pgx and libpq.
func (a address) dsn(user, database string) string {
	query := url.Values{"host": {a.dir}, "port": {a.port}}
	u := url.URL{Scheme: "postgres", User: url.User(user), Path: "/" + database, RawQuery: query.Encode()}
	return u.String()
}

// socketDirFor derives the socket's folder from the data directory, so that the
// next process uses the same folder.
func socketDirFor(dataDir string) string {
	sum := sha256.Sum256([]byte(dataDir))
	name := "theeye-" + hex.EncodeToString(sum[:socketHashSize])
	dir := filepath.Join(os.TempDir(), name)
	if len(dir) > maxSocketDir {
		return filepath.Join("/tmp", name)
	}

	return dir
}

// makeSocketDir creates the folder, private to the account. That privacy is the only
// authentication: pg_hba.conf trusts every client that reaches the socket. A folder of
// that name that another account created is therefore rejected.
func makeSocketDir(dir string, acc account) error {
	if err := os.Mkdir(dir, privateDirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("creating socket directory: %w", err)
	}

	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("creating socket directory: %w", err)
	}

	stat, ok := info.Sys().(*syscall.Stat_t)
	mine := ok && (int(stat.Uid) == os.Geteuid() || (acc.drop && stat.Uid == acc.uid))
	if !info.IsDir() || !mine {
		return fmt.Errorf("socket directory %s belongs to another account: remove it or set TMPDIR", dir)
	}

	if err := os.Chmod(dir, privateDirMode); err != nil {
		return fmt.Errorf("closing socket directory: %w", err)
	}

	return acc.chownPath(dir)
}

// clearSocket removes the files that a killed postmaster left in the folder. The caller
// owns the data directory and knows that no server runs on it. A stale lock file whose
// pid now belongs to another program would otherwise prevent the next start.
func clearSocket(dir string) {
	name := filepath.Join(dir, ".s.PGSQL."+socketPort)
	_ = os.Remove(name)
	_ = os.Remove(name + ".lock")
}
