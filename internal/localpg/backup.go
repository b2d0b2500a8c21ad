package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// firstBackupStart is the Postgres major that renamed pg_start_backup.
const firstBackupStart = 15

// copyCluster copies the data directory of a running server to another folder, which
// becomes the data directory of a standby. The server keeps running. Files that were copied
// at different times become consistent by replaying the write-ahead log, from the position
// that the backup label names. pg_basebackup would do the same, but the fetched binaries
// do not include it.
func (s *Server) copyCluster(ctx context.Context, conn *pgx.Conn, to string) error {
	start := "select pg_backup_start('standby', true)"
	stop := "select labelfile, spcmapfile from pg_backup_stop(false)"
	if s.bin.major < firstBackupStart {
		start = "select pg_start_backup('standby', true, false)"
		stop = "select labelfile, spcmapfile from pg_stop_backup(false, false)"
	}

	if _, err := conn.Exec(ctx, start); err != nil {
		return fmt.Errorf("beginning a backup: %w", err)
	}

	if err := copyTree(s.options.DataDir, to); err != nil {
		return fmt.Errorf("copying the data directory: %w", err)
	}

	var label, tablespaces string
	if err := conn.QueryRow(ctx, stop).Scan(&label, &tablespaces); err != nil {
		return fmt.Errorf("ending a backup: %w", err)
	}

	if strings.TrimSpace(tablespaces) != "" {
		return errors.New("a server with tablespaces cannot be copied: both would write to the same files")
	}

	return os.WriteFile(filepath.Join(to, "backup_label"), []byte(label), privateFileMode) //nolint:wrapcheck // it names the file
}

// copyTree copies the files of a data directory that belong into a backup.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error { //nolint:wrapcheck // it names the file
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the server has just removed it
		}

		if err != nil {
			return err
		}

		name, err := filepath.Rel(from, path)
		if err != nil {
			return err //nolint:wrapcheck // it names the file
		}

		if leftOutOfBackups(name) {
			return nil
		}

		target := filepath.Join(to, name)
		switch {
		case entry.IsDir() && name != ".":
			return os.Mkdir(target, privateDirMode)
		case entry.Type().IsRegular():
			return copyFile(path, target)
		default:
			return nil
		}
	})
}

// leftOutOfBackups reports whether a file describes the running server rather than its data.
// Folders of such files are copied empty; the write-ahead log arrives by streaming.
func leftOutOfBackups(name string) bool {
	dir, file := filepath.Split(name)
	if dir == "" {
		return file == "postmaster.pid" || file == "postmaster.opts" || file == "postgresql.auto.conf"
	}

	top, _, _ := strings.Cut(dir, string(filepath.Separator))
	emptied := []string{
		"pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans", "pg_wal",
	}
	return slices.Contains(emptied, top)
}

// copyFile copies a file that may change or vanish meanwhile.
func copyFile(from, to string) error {
	source, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}

	if err != nil {
		return err //nolint:wrapcheck // it names the file
	}

	defer source.Close() //nolint:errcheck // it was only read

	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, privateFileMode)
	if err != nil {
		return err //nolint:wrapcheck // as above
	}

	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
