package main

import (
	"fmt"
	"slices"
)

// figure is a row of the table.
type figure struct {
	// key is the name of the figure for -only and for its limit.
	key   string
	title string
	// value is compared with the limit, and text is printed.
	value float64
	text  string
	// places are the lines that -v prints.
	places []string
}

// measureTree returns all figures in the order of the table. With an error it returns the
// figures that could be measured.
func measureTree(t *tree) ([]figure, error) {
	lines := 0
	for _, file := range t.code {
		lines += file.lineCount()
	}

	figures := []figure{sizeFigure(t, lines)}
	figures = append(figures, measureShape(t.code)...)
	figures = append(figures, measureNames(t.code)...)
	figures = append(figures, measurePacking(t.code, lines)...)
	figures = append(figures, measureIdioms(t)...)

	path, err := measurePath(t)

	return append(figures, path...), err
}

// sizeFigure returns the amount of code.
func sizeFigure(t *tree, lines int) figure {
	return figure{
		key:   "size",
		title: "lines of code, files",
		value: float64(lines),
		text:  fmt.Sprintf("%d, %d", lines, len(t.code)),
	}
}

// countFigure returns a figure that counts places.
func countFigure(key, title string, places []string) figure {
	return figure{
		key:    key,
		title:  title,
		value:  float64(len(places)),
		text:   fmt.Sprint(len(places)),
		places: places,
	}
}

// shareFigure returns a share in percent.
func shareFigure(key, title string, part, whole int, places []string) figure {
	share := 100 * float64(part) / float64(max(whole, 1))

	return figure{
		key:    key,
		title:  title,
		value:  share,
		text:   fmt.Sprintf("%.1f %%", share),
		places: places,
	}
}

// rateFigure returns a rate per thousand.
func rateFigure(key, title string, part, whole int, places []string) figure {
	rate := 1000 * float64(part) / float64(max(whole, 1))

	return figure{
		key:    key,
		title:  title,
		value:  rate,
		text:   fmt.Sprintf("%.2f", rate),
		places: places,
	}
}

// spreadFigure returns the median, the ninth decile and the maximum of some numbers.
func spreadFigure(key, title string, numbers []int) figure {
	if len(numbers) == 0 {
		return figure{key: key, title: title, text: "-"}
	}

	sorted := slices.Sorted(slices.Values(numbers))
	last := len(sorted) - 1
	largest := sorted[last]

	return figure{
		key:   key,
		title: title,
		value: float64(largest),
		text:  fmt.Sprintf("%d / %d / %d", sorted[last*50/100], sorted[last*90/100], largest),
	}
}
