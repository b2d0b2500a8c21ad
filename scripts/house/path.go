package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// pathList is the file with the declarations of the ingest path, below the root.
const pathList = "scripts/house/ingest-path.txt"

// measurePath returns the number of lines to read from the handler of POST /v1/events to the
// commit and the answer. A part of the tree, or a tree without the list, has no such figure.
func measurePath(t *tree) ([]figure, error) {
	if !t.whole {
		return nil, nil
	}

	list, err := os.ReadFile(filepath.Join(t.root, filepath.FromSlash(pathList)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}

	if err != nil {
		return nil, fmt.Errorf("read the list of the ingest path: %w", err)
	}

	counted, err := countPath(t.code, string(list))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pathList, err)
	}

	return []figure{
		lengthFigure("path-core", "lines to read of the core of the ingest path, without blank ones", counted["core"]),
		lengthFigure("path-all", "lines to read of the whole ingest path, without blank ones", append(counted["core"], counted["rest"]...)),
	}, nil
}

// pathEntry is an entry of the list, with its number of lines.
type pathEntry struct {
	name  string
	lines int
}

// lengthFigure returns the sum of some entries.
func lengthFigure(key, title string, entries []pathEntry) figure {
	sum := 0
	var places []string
	for _, entry := range entries {
		sum += entry.lines
		places = append(places, fmt.Sprintf("%4d %s", entry.lines, entry.name))
	}

	return figure{
		key:    key,
		title:  title,
		value:  float64(sum),
		text:   fmt.Sprintf("%d (%d entries)", sum, len(entries)),
		places: places,
	}
}

// countPath returns the entries of the list by part, core or rest. An entry that is not in the
// tree, or that counts a line again, is an error.
func countPath(files []*goFile, list string) (map[string][]pathEntry, error) {
	byPath := map[string]*goFile{}
	for _, file := range files {
		byPath[file.path] = file
	}

	counted := map[string][]pathEntry{}
	seen := map[string]string{}

	for text := range strings.Lines(list) {
		if text, _, _ = strings.Cut(text, "#"); strings.TrimSpace(text) == "" {
			continue
		}

		part, name, ok := strings.Cut(strings.TrimSpace(text), " ")
		if !ok || (part != "core" && part != "rest") {
			return nil, fmt.Errorf("want core or rest, and an entry: %q", text)
		}

		name = strings.TrimSpace(name)
		first, last, err := findLines(byPath, name)
		if err != nil {
			return nil, err
		}

		path, _, _ := strings.Cut(name, ":")
		lines := 0
		for line := first; line <= last; line++ {
			if byPath[path].isBlank(line) { // a blank line makes reading easier
				continue
			}

			lines++
			at := fmt.Sprintf("%s:%d", path, line)
			if before := seen[at]; before != "" {
				return nil, fmt.Errorf("%s counts a line that %s has counted: %s", name, before, at)
			}

			seen[at] = name
		}

		counted[part] = append(counted[part], pathEntry{name: name, lines: lines})
	}

	return counted, nil
}

// findLines returns the first and the last line of an entry: path/file.go, or
// path/file.go:Name with the name of a function, type, constant or variable, or
// path/file.go:Type.Method.
func findLines(files map[string]*goFile, entry string) (first, last int, err error) {
	path, name, isDeclaration := strings.Cut(entry, ":")
	file := files[path]
	if file == nil {
		return 0, 0, fmt.Errorf("there is no file %s", path)
	}

	if !isDeclaration {
		return 1, file.lineCount(), nil
	}

	for _, declaration := range file.syntax.Decls {
		if found, ok := findExtent(declaration, name); ok {
			return file.lineOf(found.from), file.lineOf(found.to), nil
		}
	}

	return 0, 0, fmt.Errorf("there is no %s in %s", name, path)
}

// extent is the beginning, with the comment, and the end of a declaration.
type extent struct{ from, to token.Pos }

// findExtent returns the part of a declaration with a name. In a group in parentheses it is the
// entry of that name only.
func findExtent(declaration ast.Decl, name string) (extent, bool) {
	switch declared := declaration.(type) {
	case *ast.FuncDecl:
		full := declared.Name.Name
		if receiver := receiverName(declared); receiver != "" {
			full = receiver + "." + full
		}

		if full == name {
			return withComment(declared, declared.Doc), true
		}
	case *ast.GenDecl:
		for _, spec := range declared.Specs {
			doc, found := findName(spec, name)
			if found && declared.Lparen.IsValid() {
				return withComment(spec, doc), true
			}

			if found {
				return withComment(declared, declared.Doc), true
			}
		}
	}

	return extent{}, false
}

// findName reports whether an entry of a group declares a name, and returns its comment.
func findName(spec ast.Spec, name string) (*ast.CommentGroup, bool) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		return spec.Doc, spec.Name.Name == name
	case *ast.ValueSpec:
		for _, ident := range spec.Names {
			if ident.Name == name {
				return spec.Doc, true
			}
		}
	}

	return nil, false
}

// withComment returns the extent of a node with its comment, if it has one.
func withComment(node ast.Node, doc *ast.CommentGroup) extent {
	found := extent{from: node.Pos(), to: node.End()}
	if doc != nil {
		found.from = doc.Pos()
	}

	return found
}
