package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// newLabel returns the name at the start of a line.
func newLabel(name string) span {
	const width = 10
	return span{fitText(name, width, false), faint}
}

// trafficLines shows the rates of events and requests.
func trafficLines(n numbers, width int) []line {
	v := n.Events
	events := line{
		newLabel("events"),
		{rateText(v.Stored) + "/s", strong},
		{" stored   ", faint},
		{rateText(v.Duplicate) + "/s", plain},
		{" duplicate   ", faint},
		{rateText(v.Conflict) + "/s", tintNonZero(v.Conflict, warn)},
		{" conflict   ", faint},
		{rateText(v.Rejected) + "/s", tintNonZero(v.Rejected, warn)},
		{" rejected", faint},
	}
	if v.NotStored > 0 {
		events = append(events, span{"   " + rateText(v.NotStored) + "/s not stored", bad})
	}

	requests := line{
		newLabel("requests"),
		{fitText(rateText(n.Requests)+"/s", len("123,456/s"), false), strong},
		{fitText(countText(n.InFlight)+" in flight", len("1,234 in flight"), false), plain},
	}
	const fixed, name, most = 10 + 9 + 15, " last minute", 60
	if slots := min(width-fixed-len(name)-1, most); slots > 0 {
		requests = append(requests, span{" " + drawSparkline(spreadRates(n.Moments, n.At, slots)), good}, span{name, faint})
	}

	return []line{events, requests}
}

// tintNonZero colours a number that should be zero.
func tintNonZero(v float64, t tone) tone {
	if v > 0 {
		return t
	}

	return plain
}

// latencyLines shows the latency of answers and of their steps.
func latencyLines(n numbers, width int) []line {
	const cell = 12
	row := func(name string, q quantiles, unit func(float64) string) line {
		late := plain
		if q.P99 >= lateSeconds {
			late = warn
		}

		return line{{name, plain}, {unit(q.P50), plain}, {unit(q.P90), plain}, {unit(q.P99), late}}
	}
	rows := []line{
		row("POST /v1/events, now", n.Now, latencyText),
		row("POST /v1/events, last minute", n.Minute, latencyText),
		row("  wait for a group", n.Wait, latencyText),
		row("  commit of a group", n.Commit, latencyText),
		row("    lock", n.Lock, latencyText),
		row("    write", n.Write, latencyText),
		row("  events of a group", n.Group, countText),
	}
	for i := range rows[len(rows)-1][1:] {
		rows[len(rows)-1][i+1].tone = plain
	}

	const widest = 76
	return layoutTable(min(width, widest), []column{{"latency", 0}, {"p50", cell}, {"p90", cell}, {"p99", cell}}, rows)
}

// pressureLines shows how near the service is to its limits.
func pressureLines(n numbers) []line {
	queue := line{
		newLabel("queue"),
		{shareText(n.QueueEvents, countText) + " events", shareTone(n.QueueEvents.ratio())},
		{"   ", plain},
		{shareText(n.QueueBytes, bytesText), shareTone(n.QueueBytes.ratio())},
	}
	if isKnown(n.Body.Used) {
		queue = append(queue, span{"   bodies ", faint}, span{shareText(n.Body, bytesText), shareTone(n.Body.ratio())})
	}

	pools := line{newLabel("pools")}
	for _, p := range n.Pools {
		t := plain
		if p.Connections.ratio() >= 1 {
			t = warn
		}

		pools = append(
			pools, span{p.Name + " ", faint}, span{fmt.Sprintf("%s/%s", countText(p.Connections.Used), countText(p.Connections.Limit)), t},
			span{" waits " + rateText(p.Waits) + "/s   ", faint})
	}

	if len(n.Pools) == 0 {
		pools = append(pools, span{noValue, plain})
	}

	age := plain
	if n.KeyAge > keysLate {
		age = bad
	}

	keys := line{
		newLabel("keys"),
		{countText(n.Keys), plain},
		{", read ", faint},
		{spanText(n.KeyAge), age},
		{" ago", faint},
		{"   rejected ", faint},
		{rateText(n.KeysRejected) + "/s", tintNonZero(n.KeysRejected, warn)},
		{"   retries ", faint},
		{rateText(n.Retries) + "/s", tintNonZero(n.Retries, warn)},
	}
	return []line{queue, pools, keys}
}

// The orders of applications and of rejections.
const (
	byRate = iota
	bySenderErrors
	byName
	orders
)

func applicationOrders() [orders]string { return [orders]string{"rate", "rejected", "name"} }
func rejectionOrders() [orders]string   { return [orders]string{"total", "rate", "name"} }

// verdictTable lists the verdicts of applications or types, per second.
func verdictTable(title string, rows []namedVerdicts, width, most, order int) []line {
	const cell = 11
	columns := []column{{title, 0}, {"stored/s", cell}, {"duplicate", cell}, {"conflict", cell}, {"rejected", cell}, {"not stored", cell}}
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b namedVerdicts) int {
		switch order {
		case byRate:
			return cmp.Compare(b.All(), a.All())
		case bySenderErrors:
			return cmp.Compare(b.SenderErrors(), a.SenderErrors())
		}

		return cmp.Compare(a.Name, b.Name)
	})
	lines := make([]line, 0, len(sorted))
	for _, one := range sorted {
		lines = append(lines, line{
			{one.Name, plain},
			{rateText(one.Stored), plain},
			{rateText(one.Duplicate), plain},
			{rateText(one.Conflict), tintNonZero(one.Conflict, warn)},
			{rateText(one.Rejected), tintNonZero(one.Rejected, warn)},
			{rateText(one.NotStored), tintNonZero(one.NotStored, bad)},
		})
	}

	if len(lines) == 0 {
		lines = append(lines, newLine(faint, noValue))
	}

	return layoutTable(width, columns, limitRows(lines, most))
}

// countTable lists occurrences since the view began.
func countTable(title string, rows []occurrence, width, most, order int) []line {
	const cell = 14
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b occurrence) int {
		switch order {
		case byRate: // the first order of this table is by total
			return cmp.Compare(b.Total, a.Total)
		case bySenderErrors:
			return cmp.Compare(b.Rate, a.Rate)
		}

		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Application, b.Application))
	})
	lines := make([]line, 0, len(sorted))
	for _, one := range sorted {
		lines = append(lines, line{{nameOf(one), plain}, {rateText(one.Rate), tintNonZero(one.Rate, warn)}, {countText(one.Total), plain}})
	}

	if len(lines) == 0 {
		lines = append(lines, newLine(faint, "none since the view began"))
	}

	return layoutTable(width, []column{{title, 0}, {"now/s", cell}, {"since began", cell}}, limitRows(lines, most))
}

// nameOf returns the code and application of an occurrence.
func nameOf(c occurrence) string {
	return strings.TrimSpace(c.Code + "  " + c.Application)
}

// summarizeOccurrences shows the most frequent occurrences on one line.
func summarizeOccurrences(name string, rows []occurrence) line {
	l := line{newLabel(name)}
	const most = 3
	for _, one := range rows[:min(len(rows), most)] {
		l = append(l, span{nameOf(one) + " ", plain}, span{rateText(one.Rate) + "/s", tintNonZero(one.Rate, warn)}, span{" (" + countText(one.Total) + ")   ", faint})
	}

	if len(rows) == 0 {
		l = append(l, span{"none since the view began", faint})
	}

	return l
}
