package top

import "strings"

// state is the part of the view that keys change.
type state struct {
	view          int
	order         [viewCount]int
	paused, help  bool
	width, height int
}

// sortedBy names the order of the present view.
func (s state) sortedBy() string {
	switch s.view {
	case overviewView, applicationView:
		return applicationOrders()[s.order[s.view]]
	case rejectionView:
		return rejectionOrders()[s.order[s.view]]
	}

	return ""
}

// renderScreen renders the view within the width and height of the terminal.
func renderScreen(n numbers, s state, paint palette) string {
	lines := []line{headerLine(n, s.paused), tabLine(s.view, s.sortedBy()), joinAlerts(listAlerts(n))}
	rest := s.height - len(lines)
	switch {
	case s.help:
		lines = append(lines, helpLines()...)
	case s.view == overviewView:
		lines = append(lines, overviewLines(n, s, rest)...)
	case s.view == applicationView:
		lines = append(lines, applicationLines(n, s, rest)...)
	case s.view == rejectionView:
		lines = append(lines, rejectionLines(n, s, rest)...)
	default:
		lines = append(lines, storeLines(n, s, rest)...)
	}

	return paintLines(lines[:min(len(lines), max(s.height, 0))], s.width, paint)
}

func paintLines(lines []line, width int, paint palette) string {
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.renderLine(width, paint)
	}

	return strings.Join(texts, "\n")
}

// blankLine separates sections.
func blankLine() line { return line{} }

// overviewLines gives the applications the lines that the rest leaves. With enough room,
// rejections get a table too.
func overviewLines(n numbers, s state, rest int) []line {
	lines := append(trafficLines(n, s.width), blankLine())
	lines = append(lines, latencyLines(n, s.width)...)
	lines = append(lines, pressureLines(n)...)
	lines = append(lines, blankLine())
	const shortLines, head, least, plenty, third = 2, 1, 2, 14, 3
	room := rest - len(lines)
	if room < plenty {
		lines = append(lines, verdictTable("application", n.Applications, s.width, max(room-head-shortLines, least), s.order[overviewView])...)
		return append(lines, summarizeOccurrences("rejected", n.Rejections), summarizeOccurrences("shed", n.Sheds))
	}

	below := room/third + head
	table := verdictTable("application", n.Applications, s.width, room-below-shortLines-head, s.order[overviewView])
	lines = append(append(lines, table...), blankLine())
	lines = append(lines, countTable("rejected", n.Rejections, s.width, below-head-1, byRate)...)
	return append(lines, summarizeOccurrences("shed", n.Sheds))
}

// divideRows divides the room among tables: no table gets more rows than it needs, and the
// rows that small tables leave go to those that need more.
func divideRows(room int, needs ...int) []int {
	given := make([]int, len(needs))
	for room > 0 {
		before := room
		for i, need := range needs {
			if room > 0 && given[i] < need {
				given[i]++
				room--
			}
		}

		if room == before {
			break
		}
	}

	return given
}

func applicationLines(n numbers, s state, rest int) []line {
	const fixed = 4 // two heads and two blanks
	rows := divideRows(rest-fixed, max(len(n.Applications), 1), len(n.Types))
	lines := append([]line{blankLine()}, verdictTable("application", n.Applications, s.width, rows[0], s.order[applicationView])...)
	if len(n.Types) > 0 {
		lines = append(append(lines, blankLine()), verdictTable("event type", n.Types, s.width, rows[1], s.order[applicationView])...)
	}

	return lines
}

func rejectionLines(n numbers, s state, rest int) []line {
	const fixed = 8 // four heads and four blanks
	order := s.order[rejectionView]
	rows := divideRows(rest-fixed, max(len(n.Rejections), 1), max(len(n.Problems), 1), max(len(n.Sheds), 1), max(len(n.RateLimited), 1))
	lines := append([]line{blankLine()}, countTable("rejected events, by code and application", n.Rejections, s.width, rows[0], order)...)
	lines = append(append(lines, blankLine()), countTable("problems answered, by code", n.Problems, s.width, rows[1], order)...)
	lines = append(append(lines, blankLine()), countTable("shed requests, by reason", n.Sheds, s.width, rows[2], order)...)
	return append(append(lines, blankLine()), countTable("requests over the rate limit", n.RateLimited, s.width, rows[3], order)...)
}

func storeLines(n numbers, s state, rest int) []line {
	lines := append([]line{blankLine()}, storageLines(n)...)
	const fixed = 6 // three heads and three blanks
	rows := divideRows(rest-len(lines)-fixed, len(n.Replicas), max(len(n.Database.Tables), 1), max(len(n.Pools), 1))
	lines = append(append(lines, blankLine()), tableLines(n, s.width, rows[1])...)
	lines = append(append(lines, blankLine()), poolLines(n, s.width, rows[2])...)
	return append(append(lines, blankLine()), replicaLines(n, s.width, rows[0])...)
}

// renderEverything renders the snapshot for pipes: all views one below the other.
func renderEverything(n numbers, width int) string {
	const most = 50
	lines := []line{headerLine(n, false)}
	for _, alert := range listAlerts(n) {
		lines = append(lines, line{alert})
	}

	lines = append(lines, blankLine())
	for _, section := range [][]line{
		trafficLines(n, width),
		latencyLines(n, width),
		pressureLines(n),
		verdictTable("application", n.Applications, width, most, byRate),
		verdictTable("event type", n.Types, width, most, byRate),
		countTable("rejected events, by code and application", n.Rejections, width, most, byRate),
		countTable("problems answered, by code", n.Problems, width, most, byRate),
		countTable("shed requests, by reason", n.Sheds, width, most, byRate),
		countTable("requests over the rate limit", n.RateLimited, width, most, byRate),
		storageLines(n),
		tableLines(n, width, most),
		poolLines(n, width, most),
		replicaLines(n, width, most),
	} {
		lines = append(append(lines, section...), blankLine())
	}

	return paintLines(lines, width, noPalette)
}

// helpLines explains the keys and the terms.
func helpLines() []line {
	rows := [][2]string{
		{"1 2 3 4", "choose a view"},
		{"tab", "the next view; shift+tab for the previous one"},
		{"s", "change the order"},
		{"p", "pause the display; counting continues"},
		{"?", "show or hide this help"},
		{"q", "quit; so does ctrl+c"},
		{"", ""},
		{"now", "between the last two readings"},
		{"conflict", "an event id that was sent again with other content"},
		{"rejected", "an event that breaks a rule; the view rejections has its code"},
		{"not stored", "an event without a verdict; its sender has to send it again"},
		{"shed", "a request without verdicts: the queue is full, or no time is left"},
		{"waits", "times that all connections of a pool were in use"},
		{"since began", "since this view began; restarts of a replica do not reset it"},
	}
	const width = 16
	lines := []line{blankLine()}
	for _, row := range rows {
		lines = append(lines, line{{fitText("  "+row[0], width, false), strong}, {row[1], plain}})
	}

	return lines
}
