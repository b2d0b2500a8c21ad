package localpg_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/localpg"
)

// fakeBinaries creates a folder that looks like Postgres of a version.
func fakeBinaries(t *testing.T, dir, version string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	script := fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s'\n", version)
	for _, name := range []string{"initdb", "postgres"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755))
	}
}

// openDir creates a folder that another account may enter.
func openDir(t *testing.T) string { t.Helper(); return filepath.Dir(newDir(t)) }

func TestFindTakesTheNamedFolderOrNone(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	named, other := filepath.Join(dir, "named"), filepath.Join(dir, "other")
	fakeBinaries(t, other, "17.2")
	_, err := localpg.FindBinariesIn(t.Context(), localpg.Options{BinDir: named}, other, nil, "")
	require.ErrorContains(t, err, "using --pg-bin "+named)

	fakeBinaries(t, named, "15.3 (Debian 15.3-1)")
	found, err := localpg.FindBinariesIn(t.Context(), localpg.Options{BinDir: named}, other, nil, "")
	require.NoError(t, err)
	require.Equal(t, named, found)

	fakeBinaries(t, named, "13.9")
	_, err = localpg.FindBinariesIn(t.Context(), localpg.Options{BinDir: named}, other, nil, "")
	require.ErrorIs(t, err, localpg.ErrTooOld)
}

func TestFindPrefersPathThenTheNewestMajor(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	onPath, pattern := filepath.Join(dir, "bin"), filepath.Join(dir, "lib", "*", "bin")
	for _, major := range []string{"9.6", "13", "14", "16"} {
		fakeBinaries(t, filepath.Join(dir, "lib", major, "bin"), major+".1")
	}

	find := func(o localpg.Options) string {
		found, err := localpg.FindBinariesIn(t.Context(), o, "relative:"+onPath, []string{pattern}, "")
		require.NoError(t, err)
		return found
	}
	require.Equal(t, filepath.Join(dir, "lib", "16", "bin"), find(localpg.Options{}))

	data := filepath.Join(dir, "data")
	require.NoError(t, os.Mkdir(data, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("14\n"), 0o600))
	require.Equal(t, filepath.Join(dir, "lib", "14", "bin"), find(localpg.Options{DataDir: data}))

	fakeBinaries(t, onPath, "15devel")
	require.Equal(t, onPath, find(localpg.Options{}))
}

func TestFindFetchesOnceAndSaysWhatToInstall(t *testing.T) {
	t.Parallel()
	t.Cleanup(http.DefaultClient.CloseIdleConnections) // the library uses it
	dir := openDir(t)
	old := filepath.Join(dir, "old")
	fakeBinaries(t, old, "12.1")
	o := localpg.Options{CacheDir: filepath.Join(dir, "cache")}
	repository := httptest.NewServer(http.FileServer(http.Dir(dir)))
	_, err := localpg.FindBinariesIn(t.Context(), o, old, nil, repository.URL)
	repository.Close()
	require.ErrorIs(t, err, localpg.ErrNotFound)
	require.ErrorIs(t, err, localpg.ErrTooOld)
	for _, hint := range []string{"apt-get install postgresql", "dnf install postgresql-server", "brew install", "--pg-bin"} {
		require.ErrorContains(t, err, hint)
	}

	repository = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".jar") {
			http.NotFound(w, r)
			return
		}

		http.ServeFile(w, r, filepath.Join("testdata", "binaries.jar"))
	}))
	fetched, err := localpg.FindBinariesIn(t.Context(), o, "", nil, repository.URL)
	repository.Close()
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(fetched, "initdb"))

	// The second time nothing is fetched.
	again, err := localpg.FindBinariesIn(t.Context(), o, "", nil, repository.URL)
	require.NoError(t, err)
	require.Equal(t, fetched, again)
	leftovers, err := filepath.Glob(filepath.Join(o.CacheDir, ".fetch-*"))
	require.NoError(t, err)
	require.Empty(t, leftovers)
}

// scripts/npm-postgres puts them there.
func TestFindTakesWhatNpmBrought(t *testing.T) {
	t.Parallel()
	cache := filepath.Join(openDir(t), "cache")
	for _, major := range []string{"14", "17"} {
		fakeBinaries(t, filepath.Join(cache, "npm", major, "bin"), major+".1")
	}

	found, err := localpg.FindBinariesIn(t.Context(), localpg.Options{CacheDir: cache}, "", nil, "")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(cache, "npm", "17", "bin"), found)
}

func TestFindOnThisMachine(t *testing.T) {
	t.Parallel()
	found, err := localpg.FindBinaries(t.Context(), localpg.Options{})
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(found, "postgres"))
}
