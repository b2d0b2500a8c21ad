package top

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// requestFamily is the histogram of all requests; its count is their number.
const requestFamily = "theeye_http_request_duration_seconds"

// postEvents selects the requests that store events.
func postEvents() []string { return []string{"method", "POST", "route", "/v1/events"} }

// numbers holds the computed numbers of the view. An unknown number is NaN.
type numbers struct {
	At       time.Time // when the last replica answered
	Began    time.Time // when the view began
	Rated    bool      // whether there are rates yet
	Replicas []replica
	Versions []string
	Uptime   float64 // seconds, of the replica that started last
	Ready    float64 // replicas that are ready

	Events       verdicts
	Applications []namedVerdicts
	Types        []namedVerdicts
	Rejections   []occurrence
	Sheds        []occurrence
	Problems     []occurrence
	RateLimited  []occurrence

	Requests float64
	Moments  []moment
	InFlight float64
	Body     share

	Now, Minute                quantiles // of POST /v1/events
	Wait, Commit, Lock, Write  quantiles
	Group                      quantiles // in events
	CommitsFailed, Retries     float64
	QueueEvents, QueueBytes    share
	Pools                      []pool
	KeyAge, Keys, KeysRejected float64
	Database                   database
}

// share is a part of a limit.
type share struct{ Used, Limit float64 }

// ratio is unknown if either number is.
func (s share) ratio() float64 {
	if s.Limit <= 0 {
		return unknown()
	}

	return s.Used / s.Limit
}

// replica is one of the targets.
type replica struct {
	Name, Version, Revision string
	Err                     error // the reason why it could not be read
	Uptime, Ready, Requests float64
	CPU, Memory             float64 // cores and bytes
}

// verdicts are events per second by verdict.
type verdicts struct{ Stored, Duplicate, Conflict, Rejected, NotStored float64 }

// All returns the rate of events of every verdict.
func (v verdicts) All() float64 {
	return v.Stored + v.Duplicate + v.Conflict + v.Rejected + v.NotStored
}

// SenderErrors returns the rate of events that their sender has to fix.
func (v verdicts) SenderErrors() float64 { return v.Conflict + v.Rejected }

func (v *verdicts) addRate(status string, rate float64) {
	switch status {
	case "stored":
		v.Stored += rate
	case "duplicate":
		v.Duplicate += rate
	case "conflict":
		v.Conflict += rate
	case "rejected":
		v.Rejected += rate
	default:
		v.NotStored += rate
	}
}

// namedVerdicts are the verdicts of an application or an event type.
type namedVerdicts struct {
	Name string
	verdicts
}

// occurrence counts something: per second, and since the view began.
type occurrence struct {
	Application, Code string
	Rate, Total       float64
}

// pool is a connection pool of all replicas.
type pool struct {
	Name        string
	Connections share   // in use
	Waits       float64 // a second
	Canceled    float64 // a second
	Waited      float64 // seconds, the mean of all acquires
}

// database holds the database statistics. Every replica reports the same.
type database struct {
	Durable                      float64 // 0: a setting can lose events
	Size                         share
	Growth, DaysToFull           float64
	Tables                       []tableSize
	Oldest, Newest               float64 // unix time
	CensusAge                    float64
	RetentionAge                 float64
	RetentionFailed              float64 // rounds a second
	PartitionsAhead, RejectAhead float64 // seconds
}

// tableSize is one table with all its partitions.
type tableSize struct {
	Name                     string
	Bytes, Partitions, Ahead float64
}

// computeNumbers computes the numbers of the last round.
func (t *tracker) computeNumbers() numbers {
	samples := t.reachedSamples()
	n := numbers{
		At:           t.lastAnswerAt(),
		Began:        t.began,
		Rated:        t.rated,
		Moments:      slices.Clone(t.moments),
		Ready:        foldGauge(samples, sum, "theeye_ready"),
		InFlight:     foldGauge(samples, sum, "theeye_http_requests_in_flight"),
		Body:         shareOf(samples, "theeye_http_body_memory_bytes", "theeye_http_body_memory_limit_bytes"),
		QueueEvents:  shareOf(samples, "theeye_ingest_queue_events", "theeye_ingest_queue_limit_events"),
		QueueBytes:   shareOf(samples, "theeye_ingest_queue_bytes", "theeye_ingest_queue_limit_bytes"),
		KeyAge:       foldGauge(samples, largest, "theeye_access_directory_age_seconds"),
		Keys:         foldGauge(samples, largest, "theeye_access_directory_keys"),
		Requests:     t.rateOf(requestFamily),
		Retries:      t.rateOf("theeye_ingest_retries_total"),
		KeysRejected: t.rateOf("theeye_access_authentications_total", "result", "refused"),
	}
	n.CommitsFailed = t.rateOf("theeye_ingest_commit_duration_seconds", "outcome", "failed")
	t.computeReplicas(&n)
	t.computeLatencies(&n)
	n.Applications, n.Events = t.sumVerdicts("theeye_ingest_events_total", func(labels map[string]string) string { return labels["application"] })
	n.Types, _ = t.sumVerdicts("theeye_ingest_typed_events_total", func(labels map[string]string) string {
		if labels["category"] == "other" && labels["name"] == "other" {
			return "other"
		}

		return labels["category"] + " / " + labels["name"]
	})
	n.Rejections = t.listOccurrences(rejectionFamily, "code")
	n.Sheds = t.listOccurrences(shedFamily, "reason")
	n.Problems = t.listOccurrences(problemFamily, "code")
	n.RateLimited = t.listOccurrences(rateLimitedFamily, "")
	n.Pools = t.computePools(samples)
	n.Database = t.computeDatabase(samples, n.At)
	return n
}

// rateOf returns the rate of a family; unknown until a replica was read twice.
func (t *tracker) rateOf(name string, pairs ...string) float64 {
	if !t.rated {
		return unknown()
	}

	return t.increases.sumRates(name, pairs...)
}

func shareOf(samples []sample, used, limit string) share {
	return share{foldGauge(samples, sum, used), foldGauge(samples, sum, limit)}
}

func (t *tracker) computeReplicas(n *numbers) {
	n.Uptime = unknown()
	versions := map[string]bool{}
	for _, r := range t.readings {
		one := replica{
			Name:     r.target.name,
			Err:      r.err,
			Uptime:   unknown(),
			Ready:    unknown(),
			Requests: unknown(),
			CPU:      unknown(),
			Memory:   unknown(),
		}
		if r.err == nil {
			own := []sample{r.sample}
			if w, ok := t.each[r.target.metrics]; ok {
				one.Requests = w.sumRates(requestFamily)
				one.CPU = w.sumRates("process_cpu_seconds_total")
			}

			one.Memory = foldGauge(own, largest, "process_resident_memory_bytes")
			one.Ready = foldGauge(own, largest, "theeye_ready")
			if since := foldGauge(own, largest, startTimeMetric); isKnown(since) {
				one.Uptime = max(unixSeconds(r.at)-since, 0)
				if !isKnown(n.Uptime) || one.Uptime < n.Uptime {
					n.Uptime = one.Uptime
				}
			}

			for _, info := range r.sample["theeye_build_info"] {
				one.Version = info.labels["version"]
				one.Revision = info.labels["revision"]
				versions[one.Version] = true
			}
		}

		n.Replicas = append(n.Replicas, one)
	}

	n.Versions = slices.Sorted(maps.Keys(versions))
}

func (t *tracker) computeLatencies(n *numbers) {
	n.Now = t.increases.sumHistograms(requestFamily, postEvents()...).quantiles()
	var all histogram
	for _, m := range t.moments {
		all = all.addHistogram(m.latency)
	}

	n.Minute = all.quantiles()
	n.Wait = t.increases.sumHistograms("theeye_ingest_wait_duration_seconds").quantiles()
	n.Commit = t.increases.sumHistograms("theeye_ingest_commit_duration_seconds").quantiles()
	n.Lock = t.increases.sumHistograms("theeye_ingest_step_duration_seconds", "step", "lock").quantiles()
	n.Write = t.increases.sumHistograms("theeye_ingest_step_duration_seconds", "step", "write").quantiles()
	n.Group = t.increases.sumHistograms("theeye_ingest_group_events").quantiles()
}

// sumVerdicts adds up events by the name that name makes of their labels, and all of them.
// Before the second reading, the names are known and the rates are not.
func (t *tracker) sumVerdicts(family string, name func(labels map[string]string) string) (rows []namedVerdicts, all verdicts) {
	if !t.rated {
		all = verdicts{unknown(), unknown(), unknown(), unknown(), unknown()}
		found := map[string]bool{}
		for _, s := range t.reachedSamples() {
			for _, one := range s[family] {
				found[name(one.labels)] = true
			}
		}

		for _, one := range slices.Sorted(maps.Keys(found)) {
			rows = append(rows, namedVerdicts{one, all})
		}

		return rows, all
	}

	type pair struct{ name, status string }
	by := map[string]*verdicts{}
	for p, f := range groupFlows(t.increases[family], func(labels map[string]string) pair { return pair{name(labels), labels["status"]} }) {
		if by[p.name] == nil {
			by[p.name] = &verdicts{}
		}

		by[p.name].addRate(p.status, f.rate)
		all.addRate(p.status, f.rate)
	}

	for _, one := range slices.Sorted(maps.Keys(by)) {
		rows = append(rows, namedVerdicts{one, *by[one]})
	}

	return rows, all
}

// listOccurrences lists the occurrences since the view began, the most frequent first.
func (t *tracker) listOccurrences(family, label string) []occurrence {
	key := func(labels map[string]string) occurrence {
		return occurrence{Application: labels["application"], Code: labels[label]}
	}
	now := groupFlows(t.increases[family], key)
	var all []occurrence
	for one, f := range groupFlows(t.totals[family], key) {
		if f.amount == 0 {
			continue
		}

		one.Rate = now[one].rate
		one.Total = f.amount
		all = append(all, one)
	}

	slices.SortFunc(all, func(a, b occurrence) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Application, b.Application), cmp.Compare(a.Code, b.Code))
	})
	return all
}

// unixSeconds returns a time in the form of metrics.
func unixSeconds(at time.Time) float64 { return float64(at.UnixNano()) / float64(time.Second) }
