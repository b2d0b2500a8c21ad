package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// goFile is a file of Go code that is not generated.
type goFile struct {
	// path is relative to the root and has slashes.
	path      string
	source    []byte
	syntax    *ast.File
	positions *token.FileSet
}

// lineOf returns the line of a position.
func (f *goFile) lineOf(pos token.Pos) int { return f.positions.Position(pos).Line }

// lineCount returns the number of lines of the file.
func (f *goFile) lineCount() int { return bytes.Count(f.source, []byte("\n")) }

// isBlank reports whether a line, counted from 1, is blank.
func (f *goFile) isBlank(line int) bool {
	lines := bytes.Split(f.source, []byte("\n"))

	return len(bytes.TrimSpace(lines[line-1])) == 0
}

// placeOf returns a position as file:line.
func (f *goFile) placeOf(pos token.Pos) string {
	return fmt.Sprintf("%s:%d", f.path, f.lineOf(pos))
}

// functions returns the functions and methods that have a body.
func (f *goFile) functions() []*ast.FuncDecl {
	var functions []*ast.FuncDecl
	for _, declaration := range f.syntax.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok && function.Body != nil {
			functions = append(functions, function)
		}
	}

	return functions
}

// textFile is a file for readers that is not Go.
type textFile struct {
	path   string
	source string
}

// tree is the measured part of the repository.
type tree struct {
	root string
	// whole is false when only some paths of the tree are measured.
	whole  bool
	code   []*goFile
	tests  []*goFile
	docs   []textFile // Markdown
	charts []textFile // YAML, Helm templates and JSON for readers
}

// readTree reads the files of a folder; with paths, only the files below them.
func readTree(root string, paths []string) (*tree, error) {
	for i, path := range paths {
		paths[i] = filepath.ToSlash(filepath.Clean(path))
	}

	read := &tree{root: root, whole: len(paths) == 0}

	err := filepath.WalkDir(root, func(full string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}

		relative, err := filepath.Rel(root, full)
		if err != nil {
			return fmt.Errorf("name a file: %w", err)
		}

		if entry.IsDir() {
			return skipFolder(relative, entry.Name())
		}

		if path := filepath.ToSlash(relative); isBelow(path, paths) {
			return read.addFile(path)
		}

		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the tree: %w", err)
	}

	return read, nil
}

// skipFolder returns fs.SkipDir for a folder that holds no source of this project.
func skipFolder(path, name string) error {
	if path == "." {
		return nil
	}

	if strings.HasPrefix(name, ".") || slices.Contains([]string{"testdata", "bin", "node_modules", "vendor"}, name) {
		return fs.SkipDir
	}

	return nil
}

// isBelow reports whether a path is one of some paths, or in a folder among them. Without
// paths, every path is.
func isBelow(path string, paths []string) bool {
	for _, above := range paths {
		if above == "." || path == above || strings.HasPrefix(path, above+"/") {
			return true
		}
	}

	return len(paths) == 0
}

// addFile reads a file if its kind is measured.
func (t *tree) addFile(path string) error {
	switch filepath.Ext(path) {
	case ".go", ".md", ".yaml", ".yml", ".tpl":
	case ".json":
		if !holdsProse(path) {
			return nil
		}
	default:
		return nil
	}

	source, err := os.ReadFile(filepath.Join(t.root, filepath.FromSlash(path)))
	if err != nil {
		return fmt.Errorf("read a file: %w", err)
	}

	switch filepath.Ext(path) {
	case ".go":
		return t.addCode(path, source)
	case ".md":
		t.docs = append(t.docs, textFile{path: path, source: string(source)})
	default:
		t.charts = append(t.charts, textFile{path: path, source: string(source)})
	}

	return nil
}

// holdsProse reports whether a JSON file is written for readers: the OpenAPI document, the
// schema of the chart's values and the dashboards.
func holdsProse(path string) bool {
	return strings.HasSuffix(path, "/openapi.json") ||
		strings.HasSuffix(path, "/values.schema.json") ||
		strings.Contains(path, "/dashboards/")
}

// addCode parses a Go file and adds it, unless it is generated.
func (t *tree) addCode(path string, source []byte) error {
	positions := token.NewFileSet()
	syntax, err := parser.ParseFile(positions, path, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("parse a file: %w", err)
	}

	if ast.IsGenerated(syntax) {
		return nil
	}

	file := &goFile{path: path, source: source, syntax: syntax, positions: positions}
	if strings.HasSuffix(path, "_test.go") {
		t.tests = append(t.tests, file)
	} else {
		t.code = append(t.code, file)
	}

	return nil
}
