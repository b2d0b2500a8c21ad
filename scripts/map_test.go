package scripts_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readMap returns the folders of the map in ARCHITECTURE.md, each with its whole path, and
// the group that each is in, counted from the highest.
func readMap(t *testing.T) (folders []string, groups map[string]int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "ARCHITECTURE.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## The house\n")
	require.True(t, found)
	_, block, found := strings.Cut(section, "\n```\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "```\n")

	line := regexp.MustCompile(`^((?:  )*)([\w./-]+)/(?: +\S.*)?$`)
	above := []string{"."}
	group := 0
	groups = map[string]int{}
	for text := range strings.Lines(block) {
		text = strings.TrimSuffix(text, "\n")
		if text == "" {
			group++
			continue
		}

		parts := line.FindStringSubmatch(text)
		require.NotNil(t, parts, "a line of the map is no folder with what it holds: %q", text)
		depth := len(parts[1]) / len("  ")
		require.Less(t, depth, len(above), "no folder is above %q", text)
		folder := path.Join(above[depth], parts[2])
		above = append(above[:depth+1], folder)
		folders = append(folders, folder)
		groups[folder] = group
	}

	return folders, groups
}

// readTree returns the folders at the root, and those with Go files. The tools are modules
// that the map does not go into.
func readTree(t *testing.T) (top, packages []string) {
	t.Helper()
	skipped := []string{"bin", "node_modules", "testdata"}
	err := filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}

		folder, err := filepath.Rel("..", name)
		if err != nil {
			return err
		}

		switch {
		case !entry.IsDir() && path.Ext(name) == ".go":
			packages = append(packages, path.Dir(filepath.ToSlash(folder)))
		case !entry.IsDir() || folder == ".":
		case strings.HasPrefix(entry.Name(), ".") || slices.Contains(skipped, entry.Name()):
			return fs.SkipDir
		case !strings.Contains(folder, string(filepath.Separator)):
			top = append(top, folder)
			if folder == "tools" {
				return fs.SkipDir
			}
		}

		return nil
	})
	require.NoError(t, err)
	slices.Sort(packages)

	return top, slices.Compact(packages)
}

// importsOf returns the packages of the service that the code of a folder imports.
func importsOf(t *testing.T, folder string) (imported []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}

		syntax, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, one := range syntax.Imports {
			if name, ours := strings.CutPrefix(strings.Trim(one.Path.Value, `"`), "github.com/the-eye-events/the-eye/"); ours {
				imported = append(imported, name)
			}
		}
	}

	return imported
}

// Go refuses circles, but not that a use case knows of telemetry.
func TestImportsGoDown(t *testing.T) {
	t.Parallel()
	folders, groups := readMap(t)
	require.Less(t, groups["internal/app"], groups["internal/postgres"])
	require.Less(t, groups["internal/postgres"], groups["internal/ingest"])
	for _, folder := range folders {
		service := folder == "cmd/theeye" || strings.HasPrefix(folder, "internal/") && !strings.HasPrefix(folder, "internal/testing/")
		if !service {
			continue
		}

		for _, imported := range importsOf(t, folder) {
			below := strings.HasPrefix(imported, folder+"/")
			require.True(t, below || groups[imported] > groups[folder],
				"%s imports %s, which is not in a lower group of the map in ARCHITECTURE.md", folder, imported)
		}
	}
}

// The map is the first thing that a stranger reads, and is believed.
func TestTheMapIsTheTree(t *testing.T) {
	t.Parallel()
	folders, _ := readMap(t)
	top, packages := readTree(t)
	require.Greater(t, len(packages), 40)

	for i, folder := range folders {
		require.NotContains(t, folders[:i], folder, "it is on the map twice")
		require.DirExists(t, filepath.Join("..", folder))
	}

	for _, folder := range packages {
		require.Contains(t, folders, folder, "a package is not on the map of ARCHITECTURE.md")
	}

	for _, folder := range top {
		require.True(t, slices.ContainsFunc(folders, func(f string) bool { return f == folder || strings.HasPrefix(f, folder+"/") }),
			"%s is not on the map of ARCHITECTURE.md", folder)
	}
}
