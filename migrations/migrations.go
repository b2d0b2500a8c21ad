// Package migrations owns the schema: goose files, numbered and embedded. A file
// that was released is never changed; each says which locks it takes and for how long.
package migrations

import "embed"

// Files returns the migrations.
func Files() embed.FS { return files }

//go:embed *.sql
var files embed.FS
