package top

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
)

// figure is a number of the snapshot; null if it is unknown.
type figure float64

// MarshalJSON renders the number; JSON has neither NaN nor infinity.
func (f figure) MarshalJSON() ([]byte, error) {
	v := float64(f)
	if !isKnown(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}

	const digits, exact = 12, 1 << 53 // more digits than these differ between processors
	if v == math.Trunc(v) && math.Abs(v) < exact {
		return strconv.AppendInt(nil, int64(v), 10), nil
	}

	return strconv.AppendFloat(nil, v, 'g', digits, 64), nil
}

// The parts of a snapshot. Rates are per second.
type (
	snapshotJSON struct {
		At            string                   `json:"at"`
		Alerts        []string                 `json:"alerts"`
		Versions      []string                 `json:"versions"`
		Ready         figure                   `json:"ready_replicas"`
		Uptime        figure                   `json:"uptime_seconds"`
		Events        verdictsJSON             `json:"events"`
		Requests      figure                   `json:"requests_rate"`
		InFlight      figure                   `json:"requests_in_flight"`
		Latency       map[string]quantilesJSON `json:"latency_seconds"`
		Group         quantilesJSON            `json:"group_events"`
		CommitsFailed figure                   `json:"failed_commits_rate"`
		Retries       figure                   `json:"retries_rate"`
		QueueEvents   shareJSON                `json:"queue_events"`
		QueueBytes    shareJSON                `json:"queue_bytes"`
		Body          shareJSON                `json:"body_bytes"`
		Keys          figure                   `json:"keys"`
		KeyAge        figure                   `json:"keys_age_seconds"`
		KeysRejected  figure                   `json:"rejected_keys_rate"`
		Applications  []verdictsJSON           `json:"applications"`
		Types         []verdictsJSON           `json:"event_types"`
		Rejections    []occurrenceJSON         `json:"rejections"`
		Problems      []occurrenceJSON         `json:"problems"`
		Sheds         []occurrenceJSON         `json:"shed_requests"`
		RateLimited   []occurrenceJSON         `json:"rate_limited_requests"`
		Database      databaseJSON             `json:"database"`
		Pools         []poolJSON               `json:"pools"`
		Replicas      []replicaJSON            `json:"replicas"`
	}
	verdictsJSON struct {
		Name      string `json:"name,omitempty"`
		Stored    figure `json:"stored_rate"`
		Duplicate figure `json:"duplicate_rate"`
		Conflict  figure `json:"conflict_rate"`
		Rejected  figure `json:"rejected_rate"`
		NotStored figure `json:"not_stored_rate"`
	}
	quantilesJSON struct {
		P50 figure `json:"p50"`
		P90 figure `json:"p90"`
		P99 figure `json:"p99"`
	}
	shareJSON struct {
		Used  figure `json:"used"`
		Limit figure `json:"limit"`
	}
	occurrenceJSON struct {
		Code        string `json:"code,omitempty"`
		Application string `json:"application,omitempty"`
		Rate        figure `json:"rate"`
		Total       figure `json:"total"`
	}
	databaseJSON struct {
		Durable         figure      `json:"durable"`
		Size            shareJSON   `json:"size_bytes"`
		Growth          figure      `json:"growth_bytes_per_day"`
		DaysToFull      figure      `json:"days_to_full"`
		Oldest          figure      `json:"oldest_event_timestamp_seconds"`
		Newest          figure      `json:"newest_event_timestamp_seconds"`
		CensusAge       figure      `json:"census_age_seconds"`
		RetentionAge    figure      `json:"retention_age_seconds"`
		RetentionFailed figure      `json:"failed_retention_rounds_rate"`
		Tables          []tableJSON `json:"tables"`
	}
	tableJSON struct {
		Name       string `json:"name"`
		Bytes      figure `json:"bytes"`
		Partitions figure `json:"partitions"`
		Ahead      figure `json:"partitions_ahead_seconds"`
	}
	poolJSON struct {
		Name        string    `json:"name"`
		Connections shareJSON `json:"connections"`
		Waits       figure    `json:"waits_rate"`
		Canceled    figure    `json:"canceled_waits_rate"`
		Waited      figure    `json:"mean_wait_seconds"`
	}
	replicaJSON struct {
		Name     string `json:"name"`
		Error    string `json:"error,omitempty"`
		Version  string `json:"version,omitempty"`
		Revision string `json:"revision,omitempty"`
		Ready    figure `json:"ready"`
		Uptime   figure `json:"uptime_seconds"`
		Requests figure `json:"requests_rate"`
		CPU      figure `json:"cpu_cores"`
		Memory   figure `json:"memory_bytes"`
	}
)

// writeJSON writes the snapshot as JSON.
func writeJSON(out io.Writer, n numbers) error {
	text, err := json.MarshalIndent(n.snapshot(), "", "  ")
	if err != nil {
		return fmt.Errorf("render the snapshot: %w", err)
	}

	if _, err := out.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

func (n *numbers) snapshot() snapshotJSON {
	alerts := []string{}
	for _, alert := range listAlerts(*n) {
		if alert.tone == bad || alert.tone == warn {
			alerts = append(alerts, alert.text)
		}
	}

	return snapshotJSON{
		At: n.At.UTC().Format("2006-01-02T15:04:05.000000Z07:00"), Alerts: alerts, Versions: append([]string{}, n.Versions...),
		Ready: figure(n.Ready), Uptime: figure(n.Uptime),
		Events: n.Events.json(""), Requests: figure(n.Requests), InFlight: figure(n.InFlight),
		Latency: map[string]quantilesJSON{
			"post_events": n.Now.json(), "wait": n.Wait.json(), "commit": n.Commit.json(), "lock": n.Lock.json(), "write": n.Write.json(),
		},
		Group: n.Group.json(), CommitsFailed: figure(n.CommitsFailed), Retries: figure(n.Retries),
		QueueEvents: n.QueueEvents.json(), QueueBytes: n.QueueBytes.json(), Body: n.Body.json(),
		Keys: figure(n.Keys), KeyAge: figure(n.KeyAge), KeysRejected: figure(n.KeysRejected),
		Applications: convert(n.Applications, namedVerdicts.named), Types: convert(n.Types, namedVerdicts.named),
		Rejections: convert(n.Rejections, occurrence.json), Problems: convert(n.Problems, occurrence.json),
		Sheds: convert(n.Sheds, occurrence.json), RateLimited: convert(n.RateLimited, occurrence.json),
		Database: n.Database.json(),
		Pools:    convert(n.Pools, pool.json),
		Replicas: convert(n.Replicas, replica.json),
	}
}

// convert converts a list; an empty one is [] and not null.
func convert[A, B any](from []A, one func(A) B) []B {
	to := make([]B, 0, len(from))
	for _, a := range from {
		to = append(to, one(a))
	}

	return to
}

func (v verdicts) json(name string) verdictsJSON {
	return verdictsJSON{name, figure(v.Stored), figure(v.Duplicate), figure(v.Conflict), figure(v.Rejected), figure(v.NotStored)}
}

func (v namedVerdicts) named() verdictsJSON { return v.json(v.Name) }

func (q quantiles) json() quantilesJSON {
	return quantilesJSON{figure(q.P50), figure(q.P90), figure(q.P99)}
}

func (s share) json() shareJSON { return shareJSON{figure(s.Used), figure(s.Limit)} }

func (c occurrence) json() occurrenceJSON {
	return occurrenceJSON{c.Code, c.Application, figure(c.Rate), figure(c.Total)}
}

func (p pool) json() poolJSON {
	return poolJSON{p.Name, p.Connections.json(), figure(p.Waits), figure(p.Canceled), figure(p.Waited)}
}

func (d database) json() databaseJSON {
	return databaseJSON{
		Durable: figure(d.Durable), Size: d.Size.json(), Growth: figure(d.Growth), DaysToFull: figure(d.DaysToFull),
		Oldest: figure(d.Oldest), Newest: figure(d.Newest), CensusAge: figure(d.CensusAge),
		RetentionAge: figure(d.RetentionAge), RetentionFailed: figure(d.RetentionFailed),
		Tables: convert(d.Tables, func(t tableSize) tableJSON {
			return tableJSON{t.Name, figure(t.Bytes), figure(t.Partitions), figure(t.Ahead)}
		}),
	}
}

func (r replica) json() replicaJSON {
	shown := replicaJSON{
		Name: r.Name, Version: r.Version, Revision: r.Revision, Ready: figure(r.Ready),
		Uptime: figure(r.Uptime), Requests: figure(r.Requests), CPU: figure(r.CPU), Memory: figure(r.Memory),
	}
	if r.Err != nil {
		shown.Error = sanitizeText(r.Err.Error())
	}

	return shown
}
