package top

import (
	"time"
)

// storageLines shows the size of the database and when the disk will be full.
func storageLines(n numbers) []line {
	d := n.Database
	full := line{newLabel("full")}
	switch {
	case isKnown(d.DaysToFull):
		full = append(full, span{"in " + rateText(d.DaysToFull) + " days", daysTone(d.DaysToFull)}, span{" at this growth", faint})
	case isKnown(d.Size.Limit):
		full = append(full, span{"unknown until the growth is known", faint})
	default:
		full = append(full, span{"unknown; database.capacity is not set", faint})
	}

	retention := line{newLabel("retention"), {"last round ", faint}, {spanText(d.RetentionAge), plain}, {" ago", faint}}
	if d.RetentionFailed > 0 {
		retention = append(retention, span{"   fails", bad})
	}

	return []line{
		{newLabel("size"), {shareText(d.Size, bytesText), strong}, {"   grows ", faint}, {bytesText(d.Growth) + " a day", plain}, {"   counted ", faint}, {spanText(d.CensusAge), plain}, {" ago", faint}},
		full,
		{newLabel("events"), {"from ", faint}, {momentText(d.Oldest), plain}, {" to ", faint}, {momentText(d.Newest), plain}},
		retention,
	}
}

func daysTone(days float64) tone {
	if days < fewDays {
		return warn
	}

	return good
}

// momentText renders a metric of unix time.
func momentText(v float64) string {
	const last = 253402300799 // the end of the year 9999
	if !isKnown(v) || v < -last || v > last {
		return noValue
	}

	return time.Unix(int64(v), 0).UTC().Format("2006-01-02 15:04")
}

// tableLines shows the sizes of the tables, and how far ahead they have partitions.
func tableLines(n numbers, width, most int) []line {
	const cell = 16
	var rows []line
	for _, t := range n.Database.Tables {
		ahead := span{spanText(t.Ahead), plain}
		if t.Ahead < aheadSeconds {
			ahead.tone = bad
		}

		rows = append(rows, line{{t.Name, plain}, {bytesText(t.Bytes), plain}, {countText(t.Partitions), plain}, ahead})
	}

	if len(rows) == 0 {
		rows = append(rows, newLine(faint, noValue))
	}

	return layoutTable(width, []column{{"table", 0}, {"size", cell}, {"partitions", cell}, {"ahead", cell}}, limitRows(rows, most))
}

// poolLines shows the connection pools of all replicas.
func poolLines(n numbers, width, most int) []line {
	const cell = 14
	var rows []line
	for _, p := range n.Pools {
		used := span{shareText(p.Connections, countText), plain}
		if p.Connections.ratio() >= 1 {
			used.tone = warn
		}

		rows = append(rows, line{{p.Name, plain}, used, {rateText(p.Waits), plain}, {latencyText(p.Waited), plain}, {rateText(p.Canceled), tintNonZero(p.Canceled, bad)}})
	}

	if len(rows) == 0 {
		rows = append(rows, newLine(faint, noValue))
	}

	return layoutTable(width, []column{{"pool", 0}, {"in use", cell}, {"waits/s", cell}, {"mean wait", cell}, {"given up/s", cell}}, limitRows(rows, most))
}

// replicaLines shows the replicas, one per line.
func replicaLines(n numbers, width, most int) []line {
	const cell = 11
	var rows []line
	for _, r := range n.Replicas {
		if r.Err != nil {
			rows = append(rows, line{{r.Name + "  " + r.Err.Error(), bad}})
			continue
		}

		ready := span{"yes", good}
		if !isKnown(r.Ready) {
			ready = span{noValue, plain}
		} else if r.Ready == 0 {
			ready = span{"no", bad}
		}

		rows = append(rows, line{
			{r.Name, plain},
			{r.Version, plain},
			{spanText(r.Uptime), plain},
			ready,
			{rateText(r.Requests), plain},
			{rateText(r.CPU), plain},
			{bytesText(r.Memory), plain},
		})
	}

	return layoutTable(width, []column{{"replica", 0}, {"version", cell}, {"up", cell}, {"ready", 7}, {"requests/s", cell}, {"cores", 7}, {"memory", cell}}, limitRows(rows, most))
}
