package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/the-eye-events/the-eye/internal/eventtype"
)

// DiffTypes shows what a change does to a type, as a unified diff; nothing when it does
// nothing. Either may be nil. The order of members is no difference.
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

// maxTable bounds the table that compare fills.
const maxTable = 16 << 20

// diffLines returns the lines of both texts by the longest common subsequence. Of texts
// that are too long for that it shows all that is between their first and their last
// difference.
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
	var common []int32 // of what is left of both, at [i*width+j]
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

	i, j := 0, 0
	for i < len(was) || j < len(is) {
		switch {
		case i < len(was) && j < len(is) && common != nil && was[i] == is[j]:
			all = append(all, diffLine{' ', was[i]})
			i, j = i+1, j+1
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

// contextLines is how many lines without a change are shown around one.
const contextLines = 3

// hunk is a part of a diff, with the numbers of its first lines.
type hunk struct {
	was, is int
	lines   []diffLine
}

func buildHunks(all []diffLine) (found []hunk) {
	was, is, last := 1, 1, -1
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

// closeHunk adds the lines after the last change of the last hunk.
func closeHunk(found []hunk, all []diffLine, last int) {
	if len(found) > 0 {
		h := &found[len(found)-1]
		h.lines = append(h.lines, all[last+1:min(last+1+contextLines, len(all))]...)
	}
}

func (h *hunk) writeTo(b *strings.Builder) {
	was, is := 0, 0
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
			first-- // as diff has it: behind that line
		}

		return fmt.Sprintf("%d,%d", first, count)
	}
	fmt.Fprintf(b, "@@ -%s +%s @@\n", begin(h.was, was), begin(h.is, is))
	for _, l := range h.lines {
		b.WriteByte(l.sign)
		b.WriteString(l.text + "\n")
	}
}
