package scripts_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every test that the catalogue names exists.
func TestTheCatalogueNamesTestsThatAreThere(t *testing.T) {
	t.Parallel()
	declared := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}

		text, err := os.ReadFile(path)
		for _, found := range function.FindAllStringSubmatch(string(text), -1) {
			declared[found[1]] = true
		}

		return err
	}))

	for _, page := range []string{"../docs/reliability.md", "../docs/security.md"} {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		names := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(string(text), -1)
		require.NotEmpty(t, names, page)
		for _, name := range names {
			require.True(t, declared[name[1]], "%s names %s, which does not exist", page, name[1])
		}
	}
}
