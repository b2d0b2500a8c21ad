package top

import "strings"

// state is what keys change.
type state struct {
	view          int
	order         [views]int
	paused, help  bool
	width, height int
}

// sortedBy is the order of the view that is shown, in words.
func (s state) sortedBy() string {
	switch s.view {
	case overview, applications:
		return applicationOrders()[s.order[s.view]]
	case refused:
		return refusalOrders()[s.order[s.view]]
	}
	return ""
}

// screen is the whole view, no line wider and no more of them than the terminal has.
func screen(n numbers, s state, paint palette) string {
	lines := []line{header(n, s.paused), tabs(s.view, s.sortedBy()), inOneLine(alerts(n))}
	rest := s.height - len(lines)
	switch {
	case s.help:
		lines = append(lines, help()...)
	case s.view == overview:
		lines = append(lines, overviewLines(n, s, rest)...)
	case s.view == applications:
		lines = append(lines, applicationLines(n, s, rest)...)
	case s.view == refused:
		lines = append(lines, refusalLines(n, s, rest)...)
	default:
		lines = append(lines, storeLines(n, s, rest)...)
	}
	return paintLines(lines[:min(len(lines), max(s.height, 0))], s.width, paint)
}

func paintLines(lines []line, width int, paint palette) string {
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.render(width, paint)
	}
	return strings.Join(texts, "\n")
}

// blank parts sections.
func blank() line { return line{} }

// overviewLines has the applications take what the rest leaves. Where there is plenty,
// refusals get a table too.
func overviewLines(n numbers, s state, rest int) []line {
	lines := append(traffic(n, s.width), blank())
	lines = append(lines, latency(n, s.width)...)
	lines = append(lines, pressure(n)...)
	lines = append(lines, blank())
	const shortLines, head, least, plenty, third = 2, 1, 2, 14, 3
	room := rest - len(lines)
	if room < plenty {
		lines = append(lines, verdictTable("application", n.Applications, s.width, max(room-head-shortLines, least), s.order[overview])...)
		return append(lines, inShort("refused", n.Refusals), inShort("sent away", n.Sheds))
	}
	below := room/third + head
	table := verdictTable("application", n.Applications, s.width, room-below-shortLines-head, s.order[overview])
	lines = append(append(lines, table...), blank())
	lines = append(lines, countTable("refused", n.Refusals, s.width, below-head-1, byRate)...)
	return append(lines, inShort("sent away", n.Sheds))
}

// divide gives each of several tables what it needs, and what is left to those that
// need more, in their order.
func divide(room int, needs ...int) []int {
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
	rows := divide(rest-fixed, max(len(n.Applications), 1), len(n.Types))
	lines := append([]line{blank()}, verdictTable("application", n.Applications, s.width, rows[0], s.order[applications])...)
	if len(n.Types) > 0 {
		lines = append(append(lines, blank()), verdictTable("event type", n.Types, s.width, rows[1], s.order[applications])...)
	}
	return lines
}

func refusalLines(n numbers, s state, rest int) []line {
	const fixed = 8 // four heads and four blanks
	order := s.order[refused]
	rows := divide(rest-fixed, max(len(n.Refusals), 1), max(len(n.Problems), 1), max(len(n.Sheds), 1), max(len(n.RateLimited), 1))
	lines := append([]line{blank()}, countTable("refused events, by code and application", n.Refusals, s.width, rows[0], order)...)
	lines = append(append(lines, blank()), countTable("problems answered, by code", n.Problems, s.width, rows[1], order)...)
	lines = append(append(lines, blank()), countTable("requests sent away, by reason", n.Sheds, s.width, rows[2], order)...)
	return append(append(lines, blank()), countTable("requests over the rate limit", n.RateLimited, s.width, rows[3], order)...)
}

func storeLines(n numbers, s state, rest int) []line {
	lines := append([]line{blank()}, storage(n)...)
	const fixed = 6 // three heads and three blanks
	rows := divide(rest-len(lines)-fixed, len(n.Replicas), max(len(n.Database.Tables), 1), max(len(n.Pools), 1))
	lines = append(append(lines, blank()), tables(n, s.width, rows[1])...)
	lines = append(append(lines, blank()), pools(n, s.width, rows[2])...)
	return append(append(lines, blank()), replicas(n, s.width, rows[0])...)
}

// everything is the snapshot for pipes: all views one below the other.
func everything(n numbers, width int) string {
	const most = 50
	lines := []line{header(n, false)}
	for _, alert := range alerts(n) {
		lines = append(lines, line{alert})
	}
	lines = append(lines, blank())
	for _, section := range [][]line{
		traffic(n, width), latency(n, width), pressure(n),
		verdictTable("application", n.Applications, width, most, byRate),
		verdictTable("event type", n.Types, width, most, byRate),
		countTable("refused events, by code and application", n.Refusals, width, most, byRate),
		countTable("problems answered, by code", n.Problems, width, most, byRate),
		countTable("requests sent away, by reason", n.Sheds, width, most, byRate),
		countTable("requests over the rate limit", n.RateLimited, width, most, byRate),
		storage(n), tables(n, width, most), pools(n, width, most), replicas(n, width, most),
	} {
		lines = append(append(lines, section...), blank())
	}
	return paintLines(lines, width, noPalette)
}

// help explains the keys and the words.
func help() []line {
	rows := [][2]string{
		{"1 2 3 4", "a view"},
		{"tab", "the next view; shift+tab the one before"},
		{"s", "another order"},
		{"p", "hold the picture; counting goes on"},
		{"?", "this help, and back"},
		{"q", "quit; so does ctrl+c"},
		{"", ""},
		{"now", "between the last two readings"},
		{"conflict", "an event id that was sent again with other content"},
		{"rejected", "an event that breaks a rule; its code is among the refusals"},
		{"not stored", "an event without a verdict; its sender was told to send again"},
		{"sent away", "requests without verdicts: the queue is full, or no time is left"},
		{"waits", "times that all connections of a pool were in use"},
		{"since began", "since this view began; restarts of a replica do not reset it"},
	}
	const width = 16
	lines := []line{blank()}
	for _, row := range rows {
		lines = append(lines, line{{fit("  "+row[0], width, false), strong}, {row[1], plain}})
	}
	return lines
}
