// Package migrations is the schema: goose files, numbered and embedded. A released file is
// never changed. Each file says which locks it takes and for how long.
package migrations

import "embed"

// Files returns the migrations.
func Files() embed.FS { return files }

//go:embed *.sql
var files embed.FS
