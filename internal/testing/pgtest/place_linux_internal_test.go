//go:build linux

package pgtest

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHasRoomOnlyWhereFilesCanBeMade(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.True(t, hasRoom(folder, 1))
	require.False(t, hasRoom(folder, math.MaxUint64))
	require.False(t, hasRoom(folder+"/none", 1))

	file := filepath.Join(folder, "file") // its file system has room, but it is not a folder
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.False(t, hasRoom(file, 1))

	if os.Geteuid() != 0 { // root may do everything
		require.NoError(t, os.Chmod(folder, 0o500))
		require.False(t, hasRoom(folder, 1))
	}
}
