package top

import (
	"maps"
	"time"
)

// minute is how far back the view looks.
const minute = time.Minute

// maxTotals bounds the series of one family whose totals are kept, so that a service cannot
// exhaust the memory.
const maxTotals = 10_000

// The families of which the view shows totals since it began.
const (
	rejectionFamily   = "theeye_ingest_refusals_total"
	shedFamily        = "theeye_ingest_shed_requests_total"
	problemFamily     = "theeye_http_problems_total"
	rateLimitedFamily = "theeye_http_rate_limited_requests_total"
)

// moment holds the numbers of one round that are remembered.
type moment struct {
	begin, end time.Time
	requests   float64   // a second
	latency    histogram // of POST /v1/events
}

// tracker holds the numbers of earlier rounds that the view needs.
type tracker struct {
	began     time.Time
	last      map[string]reading // the last good reading of each replica
	readings  []reading          // of this round
	each      map[string]window  // the increase of each replica since its last reading
	increases window             // the increase of all replicas
	rated     bool               // whether any replica has been read twice by now
	moments   []moment           // of the last minute
	totals    window             // since the view began
}

func newTracker() *tracker {
	return &tracker{last: map[string]reading{}, totals: window{}}
}

// addRound adds a round.
func (t *tracker) addRound(readings []reading) {
	var windows []window
	var begin, end time.Time
	t.each = map[string]window{}
	for _, r := range readings {
		if t.began.IsZero() || r.at.Before(t.began) && len(t.last) == 0 {
			t.began = r.at
		}

		if r.at.After(end) {
			end = r.at
		}

		if r.err != nil {
			continue
		}

		if before, ok := t.last[r.target.metrics]; ok && r.at.After(before.at) {
			w := computeIncrease(before.sample, r.sample, r.at.Sub(before.at))
			windows = append(windows, w)
			t.each[r.target.metrics] = w
			if begin.IsZero() || before.at.After(begin) {
				begin = before.at
			}
		}

		t.last[r.target.metrics] = r
	}

	t.readings = readings
	t.increases = mergeWindows(windows)
	t.rated = len(windows) > 0
	t.rememberRound(begin, end)
	for _, family := range []string{rejectionFamily, shedFamily, problemFamily, rateLimitedFamily} {
		for key, f := range t.increases[family] {
			if _, old := t.totals[family][key]; old || len(t.totals[family]) < maxTotals {
				t.totals.addFlow(family, key, f)
			}
		}
	}
}

// rememberRound adds the round to those of the last minute and drops older ones.
func (t *tracker) rememberRound(begin, end time.Time) {
	if t.rated {
		t.moments = append(t.moments, moment{
			begin: begin, end: end,
			requests: t.increases.sumRates(requestFamily),
			latency:  t.increases.sumHistograms(requestFamily, postEvents()...),
		})
	}

	kept := 0
	for _, m := range t.moments {
		if m.end.After(end.Add(-minute)) {
			t.moments[kept] = m
			kept++
		}
	}

	clear(t.moments[kept:])
	t.moments = t.moments[:kept]
}

// reachedSamples returns the samples of this round.
func (t *tracker) reachedSamples() []sample {
	var samples []sample
	for _, r := range t.readings {
		if r.err == nil {
			samples = append(samples, r.sample)
		}
	}

	return samples
}

// lastAnswerAt returns the time of the last answer of this round.
func (t *tracker) lastAnswerAt() time.Time {
	var at time.Time
	for _, r := range t.readings {
		if r.at.After(at) {
			at = r.at
		}
	}

	return at
}

// spreadRates spreads the rates of moments over equal slots of the last minute. A slot
// without a moment is unknown.
func spreadRates(moments []moment, now time.Time, slots int) []float64 {
	rates := make([]float64, slots)
	for i := range rates {
		begin := now.Add(-minute + minute*time.Duration(i)/time.Duration(slots))
		end := now.Add(-minute + minute*time.Duration(i+1)/time.Duration(slots))
		var weighed, weight float64
		for _, m := range moments {
			from := m.begin
			to := m.end
			if from.Before(begin) {
				from = begin
			}

			if to.After(end) {
				to = end
			}

			if shared := to.Sub(from).Seconds(); shared > 0 {
				weighed += shared * m.requests
				weight += shared
			}
		}

		rates[i] = unknown()
		if weight > 0 {
			rates[i] = weighed / weight
		}
	}

	return rates
}

// groupFlows adds up flows by a key of their labels.
func groupFlows[K comparable](flows map[string]flow, key func(labels map[string]string) K) map[K]flow {
	groups := map[K]flow{}
	for f := range maps.Values(flows) {
		k := key(f.labels)
		g := groups[k]
		g.amount += f.amount
		g.rate += f.rate
		groups[k] = g
	}

	return groups
}
