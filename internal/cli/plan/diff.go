package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// DiffTypes renders the change of a type as a unified diff; empty without a change. Either
// type may be nil. The order of members does not count.
func DiffTypes(before, after *eventtype.Type) (string, error) {
	was, err := canonicalText(before)
	if err != nil {
		return "", err
	}

	is, err := canonicalText(after)
	if err != nil || was == is {
		return "", err
	}

	var b strings.Builder
	b.WriteString("--- " + diffTitle(before) + "\n+++ " + diffTitle(after) + "\n")
	for _, h := range buildHunks(diffLines(splitLines(was), splitLines(is))) {
		h.writeTo(&b)
	}

	return b.String(), nil
}

func diffTitle(t *eventtype.Type) string {
	switch {
	case t == nil:
		return "none"
	case t.Version == 0:
		return t.Path()
	}

	return fmt.Sprintf("%s version %d", t.Path(), t.Version)
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}

	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// diffLine is a line of a diff; sign is a space, - or +.
type diffLine struct {
	sign byte
	text string
}

// maxTable bounds the table that diffMiddle fills.
const maxTable = 16 << 20

// diffLines returns the lines of both texts, aligned by the longest common subsequence. If
// the texts are too long for that, all lines between their first and last difference count
// as changed.
func diffLines(was, is []string) []diffLine {
	var all []diffLine
	start := 0
	for start < len(was) && start < len(is) && was[start] == is[start] {
		all = append(all, diffLine{' ', was[start]})
		start++
	}

	end := 0
	for end < len(was)-start && end < len(is)-start && was[len(was)-1-end] == is[len(is)-1-end] {
		end++
	}

	all = append(all, diffMiddle(was[start:len(was)-end], is[start:len(is)-end])...)
	for _, text := range was[len(was)-end:] {
		all = append(all, diffLine{' ', text})
	}

	return all
}

func diffMiddle(was, is []string) (all []diffLine) {
	width := len(is) + 1
	var common []int32 // length of the common subsequence of was[i:] and is[j:], at [i*width+j]
	if (len(was)+1)*width <= maxTable {
		common = make([]int32, (len(was)+1)*width)
		for i, old := range slices.Backward(was) {
			for j, text := range slices.Backward(is) {
				if old == text {
					common[i*width+j] = common[(i+1)*width+j+1] + 1
				} else {
					common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
				}
			}
		}
	}

	i := 0
	j := 0
	for i < len(was) || j < len(is) {
		switch {
		case i < len(was) && j < len(is) && common != nil && was[i] == is[j]:
			all = append(all, diffLine{' ', was[i]})
			i++
			j++
		case i < len(was) && (j == len(is) || common == nil || common[(i+1)*width+j] >= common[i*width+j+1]):
			all = append(all, diffLine{'-', was[i]})
			i++
		default:
			all = append(all, diffLine{'+', is[j]})
			j++
		}
	}

	return all
}

// contextLines is the number of unchanged lines shown around a change.
const contextLines = 3

// hunk is a part of a diff, with the numbers of its first lines.
type hunk struct {
	was, is int
	lines   []diffLine
}

func buildHunks(all []diffLine) (found []hunk) {
	was := 1
	is := 1
	last := -1
	for i, l := range all {
		if l.sign != ' ' {
			from := max(i-contextLines, 0)
			if last >= 0 && from <= last+contextLines+1 {
				h := &found[len(found)-1]
				h.lines = append(h.lines, all[last+1:i+1]...)
			} else {
				closeHunk(found, all, last)
				found = append(found, hunk{was - (i - from), is - (i - from), append([]diffLine(nil), all[from:i+1]...)})
			}

			last = i
		}

		if l.sign != '+' {
			was++
		}

		if l.sign != '-' {
			is++
		}
	}

	closeHunk(found, all, last)
	return found
}

// closeHunk adds the lines after the last change to the last hunk.
func closeHunk(found []hunk, all []diffLine, last int) {
	if len(found) > 0 {
		h := &found[len(found)-1]
		h.lines = append(h.lines, all[last+1:min(last+1+contextLines, len(all))]...)
	}
}

func (h *hunk) writeTo(b *strings.Builder) {
	was := 0
	is := 0
	for _, l := range h.lines {
		if l.sign != '+' {
			was++
		}

		if l.sign != '-' {
			is++
		}
	}

	begin := func(first, count int) string {
		if count == 0 {
			first-- // as in diff: after that line
		}

		return fmt.Sprintf("%d,%d", first, count)
	}
	fmt.Fprintf(b, "@@ -%s +%s @@\n", begin(h.was, was), begin(h.is, is))
	for _, l := range h.lines {
		b.WriteByte(l.sign)
		b.WriteString(l.text + "\n")
	}
}
