package top

import (
	"fmt"
	"strings"
)

// The views, in the order of their keys.
const (
	overviewView = iota
	applicationView
	rejectionView
	databaseView
	viewCount
)

func viewNames() [viewCount]string {
	return [viewCount]string{"overview", "applications", "rejections", "database"}
}

// headerLine shows the state of the replicas and the age of the numbers.
func headerLine(n numbers, paused bool) line {
	reached := 0
	for _, r := range n.Replicas {
		if r.Err == nil {
			reached++
		}
	}

	version := strings.Join(n.Versions, ", ")
	if version != "" {
		version = " " + version
	}

	l := line{{"The Eye" + version, strong}, {"  up ", faint}, {spanText(n.Uptime), plain}, {"  ready ", faint}}
	ready := span{countText(n.Ready) + "/" + countText(float64(len(n.Replicas))), bad}
	if n.Ready >= float64(len(n.Replicas)) {
		ready.tone = good
	}

	replicas := span{fmt.Sprintf("%d/%d", reached, len(n.Replicas)), good}
	if reached < len(n.Replicas) {
		replicas.tone = bad
	}

	l = append(l, ready, span{"  replicas ", faint}, replicas, span{"  at ", faint}, span{n.At.Format("15:04:05"), plain})
	if paused {
		l = append(l, span{"  ", plain}, span{" paused ", selected})
	}

	return l
}

// tabLine names the views and the keys.
func tabLine(current int, sorted string) line {
	var l line
	for i, name := range viewNames() {
		t := faint
		if i == current {
			t = selected
		}

		l = append(l, span{fmt.Sprintf(" %d %s ", i+1, name), t}, span{" ", plain})
	}

	if sorted != "" {
		l = append(l, span{" by " + sorted, faint})
	}

	return append(l, span{"  ? help", faint})
}

// The thresholds of the alerts.
const (
	queueHigh    = 0.5  // of the limit
	queueFull    = 0.9  // of the limit
	diskHigh     = 0.8  // of the capacity
	lateSeconds  = 1    // a p99
	keysLate     = 3.5  // seconds; the cache is refreshed at least every 3 s
	keysTooOld   = 4.5  // seconds; beyond it no key is accepted
	fewDays      = 30   // until the disk is full
	aheadSeconds = 7e5  // about eight days of partitions
	censusLate   = 7200 // seconds
)

// listAlerts describes the present problems: unreachable replicas first, then rejected
// requests, then the database.
func listAlerts(n numbers) []span {
	var l []span
	report := func(t tone, format string, values ...any) {
		l = append(l, span{fmt.Sprintf(format, values...), t})
	}
	for _, r := range n.Replicas {
		switch {
		case r.Err != nil:
			report(bad, "%s %v", r.Name, r.Err)
		case r.Ready == 0:
			report(bad, "%s is not ready", r.Name)
		}
	}

	ingestAlerts(n, report)
	databaseAlerts(n, report)
	switch {
	case len(l) > 0:
		return l
	case !n.Rated:
		return newLine(faint, "measuring; rates follow with the second reading")
	case n.Events.All() == 0:
		return newLine(good, "no problems; no events arrive")
	}

	return newLine(good, "no problems")
}

// joinAlerts joins alerts into one line.
func joinAlerts(alerts []span) line {
	l := line{alerts[0]}
	for _, alert := range alerts[1:] {
		l = append(l, span{" · ", faint}, alert)
	}

	return l
}

type alertFunc func(t tone, format string, values ...any)

func ingestAlerts(n numbers, report alertFunc) {
	if n.KeyAge > keysTooOld {
		report(bad, "keys are %s old: no key is accepted", spanText(n.KeyAge))
	} else if n.KeyAge > keysLate {
		report(warn, "keys are %s old", spanText(n.KeyAge))
	}

	for _, c := range n.Sheds {
		if c.Rate > 0 {
			report(bad, "%s requests/s shed: %s", rateText(c.Rate), c.Code)
		}
	}

	if n.Events.NotStored > 0 {
		report(bad, "%s events/s not stored", rateText(n.Events.NotStored))
	}

	if n.CommitsFailed > 0 {
		report(bad, "%s commits/s fail", rateText(n.CommitsFailed))
	}

	if ratio := max(n.QueueEvents.ratio(), n.QueueBytes.ratio()); ratio >= queueHigh {
		report(shareTone(ratio), "queue %.0f %% full", ratio*100)
	}

	if n.Now.P99 >= lateSeconds {
		report(warn, "p99 is %s", latencyText(n.Now.P99))
	}

	for _, p := range n.Pools {
		if p.Canceled > 0 {
			report(bad, "%s requests/s give up waiting for a %s connection", rateText(p.Canceled), p.Name)
		}
	}
}

func databaseAlerts(n numbers, report alertFunc) {
	d := n.Database
	if d.Durable < 1 {
		report(bad, "a database setting can lose events; the log names it")
	}

	for _, t := range d.Tables {
		if t.Ahead == 0 {
			report(bad, "this month's partition of %s is missing", t.Name)
		} else if t.Ahead < aheadSeconds {
			report(warn, "partitions of %s for %s only", t.Name, spanText(t.Ahead))
		}
	}

	if d.DaysToFull < fewDays {
		report(warn, "database full in %s days", rateText(d.DaysToFull))
	} else if d.Size.ratio() >= diskHigh {
		report(warn, "database %.0f %% full", d.Size.ratio()*100)
	}

	if d.RetentionFailed > 0 {
		report(bad, "retention fails")
	}

	if d.CensusAge > censusLate {
		report(warn, "sizes are %s old", spanText(d.CensusAge))
	}
}

// shareTone returns the tone of a part of a limit.
func shareTone(ratio float64) tone {
	switch {
	case ratio >= queueFull:
		return bad
	case ratio >= queueHigh:
		return warn
	}

	return plain
}
