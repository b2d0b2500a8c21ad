package localpg

import (
	"context"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// FindBinariesIn is FindBinaries on a machine with only the given PATH, patterns of usual
// folders, and repository to fetch from.
func FindBinariesIn(ctx context.Context, o Options, path string, patterns []string, repository string) (string, error) {
	o, err := o.withDefaults()
	if err != nil {
		return "", err
	}

	acc, err := chooseAccount(o.DataDir)
	if err != nil {
		return "", err
	}

	f := finder{path: path, patterns: patterns, fetch: func(ctx context.Context, cacheDir string) (string, error) {
		return fetchFrom(ctx, cacheDir, embeddedpostgres.DefaultConfig().BinaryRepositoryURL(repository))
	}}
	found, err := f.findBinaries(ctx, o, acc)
	return found.dir, err
}
