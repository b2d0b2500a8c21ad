package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// ErrForeign means that a directory holds files of a plan that an export does not write.
var ErrForeign = errors.New("the directory holds other files of event types")

// ExportTypes writes each type into a file of a directory, which it creates if necessary. It
// returns ErrForeign for a file that the export would not replace, because the types in it
// would be described twice or come back.
func ExportTypes(directory string, types []eventtype.Type) (written []string, err error) {
	const private = 0o750
	if err := os.MkdirAll(directory, private); err != nil {
		return nil, fmt.Errorf("export event types: %w", err)
	}

	names := fileNames(types)
	there, err := filesBelow(directory)
	if err != nil {
		return nil, fmt.Errorf("export event types: %w", err)
	}

	for _, path := range there {
		if !slices.Contains(names, filepath.Base(path)) || filepath.Dir(path) != filepath.Clean(directory) {
			return nil, fmt.Errorf("%w: %s does not belong to this export; move it away, or export to an empty directory", ErrForeign, path)
		}
	}

	for i := range types {
		text, err := RenderYAML(&types[i], "")
		if err != nil {
			return written, err
		}

		path := filepath.Join(directory, names[i])
		const mode = 0o640
		if err := os.WriteFile(path, text, mode); err != nil {
			return written, fmt.Errorf("export an event type: %w", err)
		}

		written = append(written, path)
	}

	return written, nil
}

// fileNames gives each type a unique name that is safe on every file system, also where
// upper and lower case are the same.
func fileNames(types []eventtype.Type) []string {
	const most = 200 // of the 255 bytes that a name may have
	folded := map[string]int{}
	names := make([]string, len(types))
	for i := range types {
		names[i] = escapeName(types[i].Category) + "." + escapeName(types[i].Name)
		folded[strings.ToLower(names[i])]++
	}

	for i, name := range names {
		if folded[strings.ToLower(name)] > 1 || len(name) > most {
			const digits = 6
			sum := sha256.Sum256([]byte(types[i].Path()))
			name = name[:min(len(name), most)] + "~" + hex.EncodeToString(sum[:digits])
		}

		names[i] = name + ".yaml"
	}

	return names
}

// escapeName keeps letters, digits, - and _, and writes the rest as %XX.
func escapeName(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c == '-' || c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}

	return b.String()
}
