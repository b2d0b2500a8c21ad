package codegen

import (
	"strings"
	"unicode"
)

// commentWidth is the width at which comments are wrapped, in characters.
const commentWidth = 92

// commentLines returns a text as the lines of a comment. It keeps line breaks, and nothing that
// could end the comment, hide a part of it, or be taken for an instruction to a compiler.
func commentLines(text string) []string {
	text = strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\u2028' || c == '\u2029':
			return '\n'
		case unicode.IsSpace(c):
			return ' '
		case !unicode.IsPrint(c):
			return unicode.ReplacementChar
		}

		return c
	}, text)
	for _, mark := range []string{"*/", "/*", "@ts-"} { // one after the other, because of /*/
		text = strings.ReplaceAll(text, mark, mark[:1]+" "+mark[1:])
	}

	var lines []string
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		lines = append(lines, wrapLine(line)...)
	}

	if len(lines) == 1 && lines[0] == "" {
		return nil
	}

	return lines
}

// wrapLine breaks a line between its words.
func wrapLine(line string) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(line) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) > commentWidth:
			lines = append(lines, word)
		default:
			*last += " " + word
		}
	}

	return lines
}

// documentShape returns the comment of a shape: its description, then what its type does not
// say.
func documentShape(s *shape) []string {
	lines := commentLines(s.description)
	for _, note := range s.notes {
		lines = append(lines, commentLines(capitalize(note)+".")...)
	}

	return lines
}

func capitalize(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
