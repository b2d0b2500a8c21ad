package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"
)

// measureNames returns the share of functions with a name of one word, and the share of
// exported names with a comment.
func measureNames(files []*goFile) []figure {
	packages := map[string]*packageNames{}
	documented, exported := 0, 0
	var bare []string

	for _, file := range files {
		folder := path.Dir(file.path)
		if packages[folder] == nil {
			packages[folder] = &packageNames{}
		}

		for _, function := range file.functions() {
			packages[folder].add(function)
		}

		for _, name := range exportedNames(file.syntax) {
			exported++
			if name.documented {
				documented++
			} else {
				bare = append(bare, file.placeOf(name.ident.Pos())+": "+name.ident.Name)
			}
		}
	}

	short, all := 0, 0
	var places []string
	for _, folder := range slices.Sorted(maps.Keys(packages)) {
		names := packages[folder]
		short += len(names.short)
		all += names.all
		if len(names.short) > 0 {
			places = append(places, names.describe(folder))
		}
	}

	return []figure{
		shareFigure("names", "functions and methods named by one word", short, all, places),
		shareFigure("documented", "exported names with a comment", documented, exported, bare),
	}
}

// packageNames are the functions of a package.
type packageNames struct {
	all   int
	short []string
}

// add counts a function.
func (p *packageNames) add(function *ast.FuncDecl) {
	p.all++
	if !isOneWord(function.Name.Name) {
		return
	}

	name := function.Name.Name
	if receiver := receiverName(function); receiver != "" {
		name = receiver + "." + name
	}

	p.short = append(p.short, name)
}

// describe returns the line that -v prints for a package.
func (p *packageNames) describe(folder string) string {
	slices.Sort(p.short)

	return fmt.Sprintf("%s: %d of %d (%d %%): %s",
		folder, len(p.short), p.all, 100*len(p.short)/p.all, strings.Join(p.short, ", "))
}

// isOneWord reports whether a name has no capital after its first letter.
func isOneWord(name string) bool {
	return strings.IndexFunc(name[1:], unicode.IsUpper) < 0
}

// receiverName returns the name of a method's type, or "" for a function.
func receiverName(function *ast.FuncDecl) string {
	if function.Recv == nil || len(function.Recv.List) == 0 {
		return ""
	}

	kind := function.Recv.List[0].Type
	for {
		switch typed := kind.(type) {
		case *ast.StarExpr:
			kind = typed.X
		case *ast.IndexExpr:
			kind = typed.X
		case *ast.IndexListExpr:
			kind = typed.X
		case *ast.Ident:
			return typed.Name
		default:
			return ""
		}
	}
}

// exportedName is an exported name of the top level.
type exportedName struct {
	ident      *ast.Ident
	documented bool
}

// exportedNames returns the exported functions, methods of exported types, types,
// constants and variables of a file.
func exportedNames(syntax *ast.File) []exportedName {
	var names []exportedName
	add := func(ident *ast.Ident, comments ...*ast.CommentGroup) {
		if !ident.IsExported() {
			return
		}

		has := func(group *ast.CommentGroup) bool { return group != nil }
		names = append(names, exportedName{ident: ident, documented: slices.ContainsFunc(comments, has)})
	}

	for _, declaration := range syntax.Decls {
		switch declared := declaration.(type) {
		case *ast.FuncDecl:
			if receiver := receiverName(declared); receiver == "" || token.IsExported(receiver) {
				add(declared.Name, declared.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range declared.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					add(spec.Name, declared.Doc, spec.Doc, spec.Comment)
				case *ast.ValueSpec:
					for _, ident := range spec.Names {
						add(ident, declared.Doc, spec.Doc, spec.Comment)
					}
				}
			}
		}
	}

	return names
}
