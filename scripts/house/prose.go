package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// passage is a piece of prose. Its lines are those of the source, so that a hit has a place;
// everything else in the source is replaced by spaces.
type passage struct {
	path string
	line int
	text string
}

// placeOf returns the file:line of an offset in the text, and the text around it.
func (p *passage) placeOf(offset int) string {
	const before, after = 80, 100

	line := p.line + strings.Count(p.text[:offset], "\n")
	left := p.text[strings.LastIndex(p.text[:offset], "\n")+1 : offset]
	right, _, _ := strings.Cut(p.text[offset:], "\n")

	left = left[max(0, len(left)-before):]
	right = right[:min(len(right), after)]
	around := strings.ToValidUTF8(left+right, "")

	return fmt.Sprintf("%s:%d: %s", p.path, line, strings.Join(strings.Fields(around), " "))
}

// prose finds the prose in a source. It holds the compiled expressions.
type prose struct {
	fence, span, link, template, url, directive, sql, sqlCase, word *regexp.Regexp
}

// newProse compiles the expressions.
func newProse() *prose {
	return &prose{
		fence:     regexp.MustCompile("(?ms)^[ \t>]*```.*?^[ \t>]*```[ \t]*$"),
		span:      regexp.MustCompile("``[^`]+``|`[^`\n]+(?:\n[^`\n]+)?`"),
		link:      regexp.MustCompile(`\]\([^)\n]*\)`),
		template:  regexp.MustCompile(`\{\{[^}]*\}\}`),
		url:       regexp.MustCompile(`https?://\S+`),
		directive: regexp.MustCompile(`(?m)^//(?:nolint:\S+|[a-z]+:\S+.*$)`),
		sql: regexp.MustCompile(`(?i)^\s*(?:--[^\n]*\n\s*)*(?:select\b|insert into\b|update \S+( \w+)?\s+set\b|delete from\b|with (recursive )?\w+[^;:.]* as\b|` +
			`(create|alter|drop) (or replace |unique |temp |temporary |unlogged )*(table|index|role|user|schema|function|trigger|view|extension|database|sequence|type|policy|event)\b|` +
			`grant \w+ |revoke \w+ |do \$|set (local|session) )`),
		sqlCase: regexp.MustCompile(`(?is)\bcase\s+(?:\S+\s+)?when\b.*?\bend\b`),
		word:    regexp.MustCompile(`[A-Za-z]+(?:['’-][A-Za-z]+)*`),
	}
}

// countWords returns the number of words of a passage.
func (p *prose) countWords(text string) int { return len(p.word.FindAllString(text, -1)) }

// blank replaces every match by spaces and keeps the line breaks.
func blank(text string, patterns ...*regexp.Regexp) string {
	for _, pattern := range patterns {
		text = pattern.ReplaceAllStringFunc(text, func(match string) string {
			return strings.Map(func(r rune) rune {
				if r == '\n' {
					return r
				}

				return ' '
			}, match)
		})
	}

	return text
}

// readText returns the prose of Markdown, YAML or JSON.
func (p *prose) readText(file textFile) passage {
	text := blank(file.source, p.fence, p.span, p.link, p.template, p.url)

	return passage{path: file.path, line: 1, text: text}
}

// readCode returns the comments and the string literals of a Go file, each as a passage.
func (p *prose) readCode(file *goFile) []passage {
	var passages []passage
	for _, group := range file.syntax.Comments {
		passages = append(passages, passage{
			path: file.path,
			line: file.lineOf(group.Pos()),
			text: p.readComment(group),
		})
	}

	ast.Inspect(file.syntax, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			node.Tag = nil
		case *ast.BasicLit:
			if text := p.readLiteral(node); text != "" {
				passages = append(passages, passage{path: file.path, line: file.lineOf(node.Pos()), text: text})
			}
		}

		return true
	})

	return passages
}

// readComment returns the text of a comment, without examples of code.
func (p *prose) readComment(group *ast.CommentGroup) string {
	var lines []string
	for _, comment := range group.List {
		text := blank(comment.Text, p.directive)
		if code, ok := strings.CutPrefix(text, "//\t"); ok {
			text = strings.Repeat(" ", len(code))
		}

		text = strings.TrimPrefix(text, "//")
		text = strings.TrimSuffix(strings.TrimPrefix(text, "/*"), "*/")
		lines = append(lines, text)
	}

	return blank(strings.Join(lines, "\n"), p.span, p.url)
}

// readLiteral returns the text of a string literal, or "" when it is a single word or SQL.
func (p *prose) readLiteral(literal *ast.BasicLit) string {
	if literal.Kind != token.STRING {
		return ""
	}

	text, err := strconv.Unquote(literal.Value)
	if err != nil || !strings.Contains(strings.TrimSpace(text), " ") || p.sql.MatchString(text) {
		return ""
	}

	if literal.Value[0] == '"' {
		text = strings.ReplaceAll(text, "\n", " ") // it is one line of the source
	}

	return blank(text, p.fence, p.span, p.template, p.url, p.sqlCase)
}
