package top

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// requests is the histogram of all requests, whose count is their number.
const requests = "theeye_http_request_duration_seconds"

// postEvents picks the requests that store.
func postEvents() []string { return []string{"method", "POST", "route", "/v1/events"} }

// numbers is all that the view shows, worked out. What is not known is NaN.
type numbers struct {
	At       time.Time // when the last replica answered
	Began    time.Time // when the view began
	Rated    bool      // whether there are rates yet
	Replicas []replica
	Versions []string
	Uptime   float64 // seconds, of the replica that started last
	Ready    float64 // replicas that are ready

	Events       verdicts
	Applications []named
	Types        []named
	Refusals     []counted
	Sheds        []counted
	Problems     []counted
	RateLimited  []counted

	Requests float64
	Moments  []moment
	InFlight float64
	Body     share

	Now, Minute               quantiles // of POST /v1/events
	Wait, Commit, Lock, Write quantiles
	Group                     quantiles // in events
	CommitsFailed, Retries    float64
	QueueEvents, QueueBytes   share
	Pools                     []pool
	KeyAge, Keys, KeysRefused float64
	Database                  database
}

// share is a part of a limit.
type share struct{ Used, Limit float64 }

// ratio is unknown where either is.
func (s share) ratio() float64 {
	if s.Limit <= 0 {
		return unknown()
	}
	return s.Used / s.Limit
}

// replica is one of the targets.
type replica struct {
	Name, Version, Revision string
	Err                     error // why it could not be read
	Uptime, Ready, Requests float64
	CPU, Memory             float64 // cores and bytes
}

// verdicts are events a second by what became of them.
type verdicts struct{ Stored, Duplicate, Conflict, Rejected, NotStored float64 }

// All are the events of every verdict.
func (v verdicts) All() float64 {
	return v.Stored + v.Duplicate + v.Conflict + v.Rejected + v.NotStored
}

// Refused are those that their sender has to look at.
func (v verdicts) Refused() float64 { return v.Conflict + v.Rejected }

func (v *verdicts) add(status string, rate float64) {
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

// named are the verdicts of an application or an event type.
type named struct {
	Name string
	verdicts
}

// counted is how often something happened: a second, and since the view began.
type counted struct {
	Application, Code string
	Rate, Total       float64
}

// pool is a pool of connections of all replicas.
type pool struct {
	Name        string
	Connections share   // in use
	Waits       float64 // a second
	Canceled    float64 // a second
	Waited      float64 // seconds, of one that waited or did not
}

// database is what the census found. Every replica reports the same.
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

// numbers works out what is shown of the round that was taken last.
func (t *tracker) numbers() numbers {
	samples := t.reached()
	n := numbers{
		At: t.now(), Began: t.began, Rated: t.rated, Moments: slices.Clone(t.moments),
		Ready:       gauge(samples, sum, "theeye_ready"),
		InFlight:    gauge(samples, sum, "theeye_http_requests_in_flight"),
		Body:        shareOf(samples, "theeye_http_body_memory_bytes", "theeye_http_body_memory_limit_bytes"),
		QueueEvents: shareOf(samples, "theeye_ingest_queue_events", "theeye_ingest_queue_limit_events"),
		QueueBytes:  shareOf(samples, "theeye_ingest_queue_bytes", "theeye_ingest_queue_limit_bytes"),
		KeyAge:      gauge(samples, largest, "theeye_access_directory_age_seconds"),
		Keys:        gauge(samples, largest, "theeye_access_directory_keys"),
		Requests:    t.rate(requests),
		Retries:     t.rate("theeye_ingest_retries_total"),
		KeysRefused: t.rate("theeye_access_authentications_total", "result", "refused"),
	}
	n.CommitsFailed = t.rate("theeye_ingest_commit_duration_seconds", "outcome", "failed")
	t.replicas(&n)
	t.latencies(&n)
	n.Applications, n.Events = t.verdicts("theeye_ingest_events_total", func(labels map[string]string) string { return labels["application"] })
	n.Types, _ = t.verdicts("theeye_ingest_typed_events_total", func(labels map[string]string) string {
		if labels["category"] == "other" && labels["name"] == "other" {
			return "other"
		}
		return labels["category"] + " / " + labels["name"]
	})
	n.Refusals, n.Sheds = t.counts(refusals, "code"), t.counts(sheds, "reason")
	n.Problems, n.RateLimited = t.counts(problems, "code"), t.counts(rateLimited, "")
	n.Pools = t.pools(samples)
	n.Database = t.database(samples, n.At)
	return n
}

// rate is unknown until a replica was read twice.
func (t *tracker) rate(name string, pairs ...string) float64 {
	if !t.rated {
		return unknown()
	}
	return t.counted.rate(name, pairs...)
}

func shareOf(samples []sample, used, limit string) share {
	return share{gauge(samples, sum, used), gauge(samples, sum, limit)}
}

func (t *tracker) replicas(n *numbers) {
	n.Uptime = unknown()
	versions := map[string]bool{}
	for _, r := range t.readings {
		one := replica{Name: r.target.name, Err: r.err, Uptime: unknown(), Ready: unknown(), Requests: unknown(), CPU: unknown(), Memory: unknown()}
		if r.err == nil {
			own := []sample{r.sample}
			if w, ok := t.each[r.target.metrics]; ok {
				one.Requests, one.CPU = w.rate(requests), w.rate("process_cpu_seconds_total")
			}
			one.Memory = gauge(own, largest, "process_resident_memory_bytes")
			one.Ready = gauge(own, largest, "theeye_ready")
			if since := gauge(own, largest, started); known(since) {
				one.Uptime = max(unix(r.at)-since, 0)
				if !known(n.Uptime) || one.Uptime < n.Uptime {
					n.Uptime = one.Uptime
				}
			}
			for _, info := range r.sample["theeye_build_info"] {
				one.Version, one.Revision = info.labels["version"], info.labels["revision"]
				versions[one.Version] = true
			}
		}
		n.Replicas = append(n.Replicas, one)
	}
	n.Versions = slices.Sorted(maps.Keys(versions))
}

func (t *tracker) latencies(n *numbers) {
	n.Now = t.counted.observed(requests, postEvents()...).quantiles()
	var all histogram
	for _, m := range t.moments {
		all = all.plus(m.latency)
	}
	n.Minute = all.quantiles()
	n.Wait = t.counted.observed("theeye_ingest_wait_duration_seconds").quantiles()
	n.Commit = t.counted.observed("theeye_ingest_commit_duration_seconds").quantiles()
	n.Lock = t.counted.observed("theeye_ingest_step_duration_seconds", "step", "lock").quantiles()
	n.Write = t.counted.observed("theeye_ingest_step_duration_seconds", "step", "write").quantiles()
	n.Group = t.counted.observed("theeye_ingest_group_events").quantiles()
}

// verdicts adds up events by what name makes of their labels, and all of them. Until
// there are rates, the names are there and the rates unknown.
func (t *tracker) verdicts(family string, name func(labels map[string]string) string) (rows []named, all verdicts) {
	if !t.rated {
		all = verdicts{unknown(), unknown(), unknown(), unknown(), unknown()}
		found := map[string]bool{}
		for _, s := range t.reached() {
			for _, one := range s[family] {
				found[name(one.labels)] = true
			}
		}
		for _, one := range slices.Sorted(maps.Keys(found)) {
			rows = append(rows, named{one, all})
		}
		return rows, all
	}
	type pair struct{ name, status string }
	by := map[string]*verdicts{}
	for p, f := range group(t.counted[family], func(labels map[string]string) pair { return pair{name(labels), labels["status"]} }) {
		if by[p.name] == nil {
			by[p.name] = &verdicts{}
		}
		by[p.name].add(p.status, f.rate)
		all.add(p.status, f.rate)
	}
	for _, one := range slices.Sorted(maps.Keys(by)) {
		rows = append(rows, named{one, *by[one]})
	}
	return rows, all
}

// counts lists what happened since the view began, the most frequent first.
func (t *tracker) counts(family, label string) []counted {
	key := func(labels map[string]string) counted {
		return counted{Application: labels["application"], Code: labels[label]}
	}
	now := group(t.counted[family], key)
	var all []counted
	for one, f := range group(t.totals[family], key) {
		if f.amount == 0 {
			continue
		}
		one.Rate, one.Total = now[one].rate, f.amount
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b counted) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Application, b.Application), cmp.Compare(a.Code, b.Code))
	})
	return all
}

// unix is a moment as metrics tell it.
func unix(at time.Time) float64 { return float64(at.UnixNano()) / float64(time.Second) }
