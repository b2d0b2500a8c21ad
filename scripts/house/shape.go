package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
)

// longFunction and longFile are the most lines that a function and a file should have.
const (
	// longFunction and longFile are the highest numbers of lines for a function and a file.
	longFunction = 60
	longFile     = 400
)

// measureShape returns the sizes of functions and files, and the share of blank lines.
func measureShape(files []*goFile) []figure {
	var functionLines, fileLines []int
	var longFunctions, longFiles, dense []string
	blankLines, bodyLines := 0, 0

	for _, file := range files {
		fileLines = append(fileLines, file.lineCount())
		if file.lineCount() > longFile {
			longFiles = append(longFiles, fmt.Sprintf("%s: %d lines", file.path, file.lineCount()))
		}

		fileBlank, fileBody := 0, 0
		for _, function := range file.functions() {
			lines := file.lineOf(function.End()) - file.lineOf(function.Pos()) + 1
			functionLines = append(functionLines, lines)
			if lines > longFunction {
				longFunctions = append(longFunctions, fmt.Sprintf("%s: %s: %d lines", file.placeOf(function.Pos()), function.Name.Name, lines))
			}

			blank, body := countBlankLines(file, function)
			fileBlank += blank
			fileBody += body
		}

		blankLines += fileBlank
		bodyLines += fileBody
		if fileBody > 0 {
			dense = append(dense, fmt.Sprintf("%s: %d of %d", file.path, fileBlank, fileBody))
		}
	}

	return []figure{
		spreadFigure("function-lines", "lines of a function, p50 / p90 / max", functionLines),
		countFigure("functions-long", fmt.Sprintf("functions longer than %d lines", longFunction), longFunctions),
		spreadFigure("file-lines", "lines of a file, p50 / p90 / max", fileLines),
		countFigure("files-long", fmt.Sprintf("files longer than %d lines", longFile), longFiles),
		shareFigure("blank-lines", "blank lines inside functions", blankLines, bodyLines, dense),
	}
}

// countBlankLines returns the number of blank lines between the braces of a function, and of
// all lines there. Blank lines of a text in backquotes do not count as blank.
func countBlankLines(file *goFile, function *ast.FuncDecl) (blank, all int) {
	first := file.lineOf(function.Body.Lbrace) + 1
	last := file.lineOf(function.Body.Rbrace) - 1
	if last < first {
		return 0, 0
	}

	quoted := map[int]bool{}
	ast.Inspect(function.Body, func(node ast.Node) bool {
		if text, ok := node.(*ast.BasicLit); ok && text.Kind == token.STRING {
			for line := file.lineOf(text.Pos()); line <= file.lineOf(text.End()); line++ {
				quoted[line] = true
			}
		}

		return true
	})

	lines := bytes.Split(file.source, []byte("\n"))
	for line := first; line <= last; line++ {
		if len(bytes.TrimSpace(lines[line-1])) == 0 && !quoted[line] {
			blank++
		}
	}

	return blank, last - first + 1
}
