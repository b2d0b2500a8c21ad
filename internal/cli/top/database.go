package top

import "time"

func (t *tracker) computePools(samples []sample) []pool {
	const (
		connections = "theeye_database_pool_connections"
		most        = "theeye_database_pool_max_connections"
	)
	var pools []pool
	for _, name := range valuesOf(samples, most, "pool") {
		p := pool{
			Name:        name,
			Connections: share{foldGauge(samples, sum, connections, "pool", name, "state", "used"), foldGauge(samples, sum, most, "pool", name)},
			Waits:       t.rateOf("theeye_database_pool_empty_acquires_total", "pool", name),
			Canceled:    t.rateOf("theeye_database_pool_canceled_acquires_total", "pool", name),
			Waited:      unknown(),
		}
		if acquires := t.rateOf("theeye_database_pool_acquires_total", "pool", name); acquires > 0 {
			p.Waited = t.rateOf("theeye_database_pool_acquire_wait_seconds_total", "pool", name) / acquires
		}

		pools = append(pools, p)
	}

	return pools
}

func (t *tracker) computeDatabase(samples []sample, now time.Time) database {
	age := func(name string) float64 { return unixSeconds(now) - foldGauge(samples, largest, name) }
	d := database{
		Durable:         foldGauge(samples, smallest, "theeye_database_durable"),
		Size:            share{foldGauge(samples, largest, "theeye_database_size_bytes"), foldGauge(samples, smallest, "theeye_database_capacity_bytes")},
		Growth:          foldGauge(samples, largest, "theeye_database_growth_bytes_per_day"),
		DaysToFull:      foldGauge(samples, smallest, "theeye_database_days_to_full"),
		Oldest:          foldGauge(samples, smallest, "theeye_events_oldest_timestamp_seconds"),
		Newest:          foldGauge(samples, largest, "theeye_events_newest_timestamp_seconds"),
		CensusAge:       age("theeye_census_last_success_timestamp_seconds"),
		RetentionAge:    age("theeye_retention_last_success_timestamp_seconds"),
		RetentionFailed: t.rateOf("theeye_retention_rounds_total", "outcome", "failed"),
		PartitionsAhead: foldGauge(samples, smallest, "theeye_partitions_ahead_seconds", "table", "event"),
		RejectAhead:     foldGauge(samples, smallest, "theeye_partitions_ahead_seconds", "table", "rejection"),
	}
	for _, name := range valuesOf(samples, "theeye_database_table_bytes", "table") {
		d.Tables = append(d.Tables, tableSize{
			Name:       name,
			Bytes:      foldGauge(samples, largest, "theeye_database_table_bytes", "table", name),
			Partitions: foldGauge(samples, largest, "theeye_partitions", "table", name),
			Ahead:      foldGauge(samples, smallest, "theeye_partitions_ahead_seconds", "table", name),
		})
	}

	return d
}
