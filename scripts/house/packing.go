package main

import (
	"go/ast"
	"strings"
)

const (
	// pairTuple and wideTuple are the numbers of values from which on an assignment counts.
	pairTuple = 2
	wideTuple = 3
	// packedFields is the number of fields from which on a line of a literal counts, and
	// packedLiteral the number for a literal on one line.
	packedFields  = 3
	packedLiteral = 5
)

// measurePacking returns how often several steps or fields share a line, and how often a linter
// is overruled.
func measurePacking(files []*goFile, lines int) []figure {
	var pairs, tuples, packed, overruled []string

	for _, file := range files {
		ast.Inspect(file.syntax, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.AssignStmt:
				values := min(len(node.Lhs), len(node.Rhs))
				if values >= pairTuple {
					pairs = append(pairs, quoteLine(file, file.lineOf(node.Pos())))
				}

				if values >= wideTuple {
					tuples = append(tuples, quoteLine(file, file.lineOf(node.Pos())))
				}
			case *ast.CompositeLit:
				for _, line := range packedLines(file, node) {
					packed = append(packed, quoteLine(file, line))
				}
			}

			return true
		})

		for _, group := range file.syntax.Comments {
			for _, comment := range group.List {
				if strings.HasPrefix(comment.Text, "//nolint") {
					overruled = append(overruled, quoteLine(file, file.lineOf(comment.Pos())))
				}
			}
		}
	}

	return []figure{
		rateFigure("pairs", "assignments of two or more values at once, per 1,000 lines", len(pairs), lines, pairs),
		rateFigure("tuples", "assignments of three or more values at once, per 1,000 lines", len(tuples), lines, tuples),
		rateFigure("packed", "lines of literals with three or more packed fields, per 1,000 lines", len(packed), lines, packed),
		rateFigure("nolint", "nolint directives, per 1,000 lines", len(overruled), lines, overruled),
	}
}

// packedLines returns the lines of a literal with too many fields.
func packedLines(file *goFile, literal *ast.CompositeLit) []int {
	var order []int
	fields := map[int]int{}
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}

		if _, named := pair.Key.(*ast.Ident); !named {
			continue // of a map
		}

		line := file.lineOf(pair.Pos())
		if fields[line]++; fields[line] == 1 {
			order = append(order, line)
		}
	}

	most := packedFields
	if file.lineOf(literal.Lbrace) == file.lineOf(literal.Rbrace) {
		most = packedLiteral
	}

	var packed []int
	for _, line := range order {
		if fields[line] >= most {
			packed = append(packed, line)
		}
	}

	return packed
}
