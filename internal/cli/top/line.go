package top

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// tone is the meaning that the look of a text conveys.
type tone int

const (
	plain tone = iota
	faint
	strong
	good
	warn
	bad
	selected
)

// span is a piece of text in one tone.
type span struct {
	text string
	tone tone
}

// line is one line of the screen.
type line []span

// newLine is a line of one span.
func newLine(t tone, s string) line { return line{{s, t}} }

// palette turns a tone into escape sequences, or into nothing.
type palette func(t tone, s string) string

// noPalette is for pipes.
func noPalette(_ tone, s string) string { return s }

// newPalette is for terminals. Without colour, tones differ by weight alone.
func newPalette(colour bool) palette {
	styles := map[tone]lipgloss.Style{
		plain:    lipgloss.NewStyle(),
		faint:    lipgloss.NewStyle().Faint(true),
		strong:   lipgloss.NewStyle().Bold(true),
		good:     lipgloss.NewStyle(),
		warn:     lipgloss.NewStyle().Bold(true),
		bad:      lipgloss.NewStyle().Bold(true),
		selected: lipgloss.NewStyle().Reverse(true),
	}
	if colour {
		styles[good] = styles[good].Foreground(lipgloss.Green)
		styles[warn] = styles[warn].Foreground(lipgloss.Yellow)
		styles[bad] = styles[bad].Foreground(lipgloss.Red)
	}

	return func(t tone, s string) string { return styles[t].Render(s) }
}

// renderLine renders a line within a width. All text passes here, and is sanitized here.
func (l line) renderLine(width int, paint palette) string {
	var b strings.Builder
	for i, s := range l {
		words := sanitizeText(s.text)
		if i == len(l)-1 && s.tone != selected {
			words = strings.TrimRight(words, " ")
		}

		words = truncateText(words, width)
		if words == "" {
			continue
		}

		width -= lipgloss.Width(words)
		b.WriteString(paint(s.tone, words))
	}

	return b.String()
}

// column is a column of a table.
type column struct {
	title string
	width int // the first column gets the rest of the width
}

// layoutTable lays rows out under a head. The first column is text, aligned to the left;
// the others are aligned to the right. A row of one cell has the whole width.
func layoutTable(width int, columns []column, rows []line) []line {
	const widest = 100 // in wider tables, the eye does not find the name of a number
	rest := min(width, widest)
	for _, c := range columns[1:] {
		rest -= c.width
	}

	const least = 12
	widths := []int{max(rest, least)}
	head := make(line, len(columns))
	for i, c := range columns {
		if i > 0 {
			widths = append(widths, c.width)
		}

		head[i] = span{c.title, faint}
	}

	lines := make([]line, 0, len(rows)+1)
	for _, row := range append([]line{head}, rows...) {
		if len(row) == 1 {
			lines = append(lines, row)
			continue
		}

		cells := make(line, len(row))
		for i, cell := range row {
			cells[i] = span{fitText(sanitizeText(cell.text), widths[i], i > 0), cell.tone}
			if i > 0 && lipgloss.Width(sanitizeText(cell.text)) >= widths[i] {
				cells[i].text = " " + fitText(sanitizeText(cell.text), widths[i]-1, true)
			}
		}

		lines = append(lines, cells)
	}

	return lines
}

// limitRows keeps at most so many rows, the last of which says how many are left out.
func limitRows(rows []line, most int) []line {
	if len(rows) <= most || most < 1 {
		return rows[:min(len(rows), max(most, 0))]
	}

	left := len(rows) - (most - 1)
	return append(rows[:most-1:most-1], newLine(faint, "and "+countText(float64(left))+" more"))
}
