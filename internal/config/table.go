package config

import (
	"slices"
	"time"
)

// Bounds that several settings share. The upper bounds are far beyond sensible values;
// they catch a typing error before it becomes an allocation.
const (
	minDuration = time.Millisecond
	maxDuration = 365 * day
	maxCount    = 10_000_000
	maxSize     = gibibyte
)

// settingsTable is the only list of the settings.
func settingsTable() []setting {
	return slices.Concat(
		httpTable(), databaseTable(), ingestTable(), limitsTable(), retentionTable(), processTable(),
	)
}

func httpTable() []setting {
	return []setting{
		newSetting("http.listen", ":8080", "Address of the API",
			func(c *Config) value { return address{&c.HTTP.Listen} }),
		newSetting("http.budget", "5s", "Longest time until a request to store events is answered, from when it is queued",
			func(c *Config) value { return durationValue(&c.HTTP.Budget, 100*time.Millisecond, time.Hour) }),
		newSetting("http.read_header_timeout", "5s", "How long the headers of a request may take to arrive",
			func(c *Config) value { return durationValue(&c.HTTP.ReadHeaderTimeout, minDuration, time.Hour) }),
		newSetting("http.read_timeout", "15s", "How long a whole request may take to arrive",
			func(c *Config) value { return durationValue(&c.HTTP.ReadTimeout, minDuration, time.Hour) }),
		newSetting("http.idle_timeout", "75s", "How long an unused connection is kept; must be longer than a proxy in front keeps it",
			func(c *Config) value { return durationValue(&c.HTTP.IdleTimeout, minDuration, day) }),
		newSetting("http.max_header_bytes", "32KiB", "Largest size of a request's headers",
			func(c *Config) value { return sizeValue(&c.HTTP.MaxHeaderBytes, kibibyte, 16*mebibyte) }),
		newSetting("http.max_connections", "8192", "Connections that may be open at once; 0 sets no bound",
			func(c *Config) value { return countOrOff(&c.HTTP.MaxConnections) }),
		newSetting("http.min_body_rate", "1KiB", "Bytes of a body that have to arrive in a second, after http.read_header_timeout; 0 sets no minimum",
			func(c *Config) value { return sizeOrOff(&c.HTTP.MinBodyRate, 1) }),
		newSetting("http.trusted_proxies", "", "Addresses of the proxies in front whose X-Forwarded-For is believed, such as 10.0.0.7 or 10.1.0.0/16, with commas between them; a sender that can connect from one can claim any client address",
			func(c *Config) value { return networks{&c.HTTP.TrustedProxies} }),
		newSetting("ops.listen", ":8081", "Address of the probes and metrics; must not be reachable from outside",
			func(c *Config) value { return address{&c.Ops.Listen} }),
		newSetting("ops.pprof", "off", "Whether ops.listen serves Go's profiles at /debug/pprof/",
			func(c *Config) value { return oneOf(&c.Ops.Pprof, SwitchOff, SwitchOn) }),
		newSetting("ops.ready_needs_database", "off", "Whether /readyz fails while the database is unreachable; an outage then takes every replica out at once",
			func(c *Config) value { return oneOf(&c.Ops.ReadyNeedsDatabase, SwitchOff, SwitchOn) }),
		newSetting("ops.census_interval", "1m", "How often the size and the partitions of the database are measured",
			func(c *Config) value { return durationValue(&c.Ops.CensusInterval, 10*time.Second, time.Hour) }),
	}
}

func databaseTable() []setting {
	return []setting{
		newSetting("database.url", "", "Connection string of the Postgres database; required",
			func(c *Config) value { return connection{&c.Database.URL} }),
		newSetting("database.pooler", "none", "Pooler in front of the database: transaction is PgBouncer in transaction mode (no prepared statements, no startup parameters)",
			func(c *Config) value { return oneOf(&c.Database.Pooler, PoolerNone, PoolerTransaction) }),
		newSetting("database.durability", "report", "Policy while a setting of the database (synchronous_commit, fsync, full_page_writes) could lose acknowledged events: report logs it and stores, require answers 503 until it is safe",
			func(c *Config) value { return oneOf(&c.Database.Durability, DurabilityReport, DurabilityRequire) }),
		newSetting("database.write_connections", "4", "Connections that store events: one for each lane, the rest for background work",
			func(c *Config) value { return countValue(&c.Database.WriteConnections, 2, 10_000) }),
		newSetting("database.read_connections", "8", "Connections for queries",
			func(c *Config) value { return countValue(&c.Database.ReadConnections, 1, 10_000) }),
		newSetting("database.connect_timeout", "3s", "How long one attempt to connect may take",
			func(c *Config) value { return durationValue(&c.Database.ConnectTimeout, minDuration, time.Hour) }),
		newSetting("database.startup_timeout", "30s", "How long a start waits for the first connection",
			func(c *Config) value { return durationValue(&c.Database.StartupTimeout, minDuration, time.Hour) }),
		newSetting("database.read_timeout", "30s", "How long the database may work on one query",
			func(c *Config) value { return durationValue(&c.Database.ReadTimeout, minDuration, day) }),
		newSetting("database.capacity", "0", "Size of the disk of Postgres, such as 500GiB, to estimate the days until it is full; 0 is unknown",
			func(c *Config) value { return sizeOrOff(&c.Database.Capacity, mebibyte) }),
	}
}

func ingestTable() []setting {
	return []setting{
		newSetting("ingest.lanes", "2", "Transactions that may store events at once, each on its own connection",
			func(c *Config) value { return countValue(&c.Ingest.Lanes, 1, 1000) }),
		newSetting("ingest.group_events", "5000", "Most events in one transaction",
			func(c *Config) value { return countValue(&c.Ingest.GroupEvents, 1, maxCount) }),
		newSetting("ingest.group_bytes", "16MiB", "Most bytes in one transaction",
			func(c *Config) value { return sizeValue(&c.Ingest.GroupBytes, 1, maxSize) }),
		newSetting("ingest.queue_events", "50000", "Events that may wait for a transaction; when the queue is full the answer is 503",
			func(c *Config) value { return countValue(&c.Ingest.QueueEvents, 1, maxCount) }),
		newSetting("ingest.queue_bytes", "128MiB", "Bytes that may wait for a transaction; when the queue is full the answer is 503",
			func(c *Config) value { return sizeValue(&c.Ingest.QueueBytes, 1, maxSize) }),
	}
}

func limitsTable() []setting {
	return []setting{
		newSetting("limits.body_bytes", "1MiB", "Largest body as sent",
			func(c *Config) value { return sizeValue(&c.Limits.BodyBytes, 1, maxSize) }),
		newSetting("limits.inflated_bytes", "10MiB", "Largest body after decompression",
			func(c *Config) value { return sizeValue(&c.Limits.InflatedBytes, 1, maxSize) }),
		newSetting("limits.batch_events", "1000", "Most events in one request",
			func(c *Config) value { return countValue(&c.Limits.BatchEvents, 1, maxCount) }),
		newSetting("limits.event_bytes", "64KiB", "Largest event",
			func(c *Config) value { return sizeValue(&c.Limits.EventBytes, 1, maxSize) }),
		newSetting("limits.json_depth", "32", "Most levels of nesting in one event; 128 at most",
			func(c *Config) value { return countValue(&c.Limits.JSONDepth, 1, 128) }),
		newSetting("limits.number_digits", "40", "Most significant digits in one number",
			func(c *Config) value { return countValue(&c.Limits.NumberDigits, 1, 1000) }),
		newSetting("limits.max_ahead", "5s", "How far ahead of the service's clock a timestamp may be",
			func(c *Config) value { return durationValue(&c.Limits.MaxAhead, 0, maxDuration) }),
		newSetting("limits.max_age", "87600h", "How old a timestamp may be",
			func(c *Config) value { return durationValue(&c.Limits.MaxAge, minDuration, 100*maxDuration) }),
	}
}

func retentionTable() []setting {
	return []setting{
		newSetting("errors.kept_per_hour", "10000", "Rejected events of one application that are kept in an hour; further ones are counted and sampled",
			func(c *Config) value { return countValue(&c.Errors.KeptPerHour, 1, maxCount) }),
		newSetting("errors.kept_bytes_per_hour", "64MiB", "Bytes of rejected events of one application that are kept in an hour",
			func(c *Config) value { return sizeValue(&c.Errors.KeptBytesPerHour, 1, maxSize) }),
		newSetting("retention.events", "0", "How long events are kept, such as 365d; 0 keeps them for ever",
			func(c *Config) value { return durationOrOff(&c.Retention.Events, day) }),
		newSetting("retention.errors", "0", "How long rejected events are kept, such as 90d; 0 keeps them for ever",
			func(c *Config) value { return durationOrOff(&c.Retention.Errors, day) }),
		newSetting("retention.audit", "0", "How long entries of the audit log are kept, such as 730d; 0 keeps them for ever",
			func(c *Config) value { return durationOrOff(&c.Retention.Audit, day) }),
		newSetting("retention.timings", "7d", "How long the commit times of events are kept",
			func(c *Config) value { return durationValue(&c.Retention.Timings, time.Hour, maxDuration) }),
		newSetting("retention.interval", "1h", "How often partitions are created and dropped",
			func(c *Config) value { return durationValue(&c.Retention.Interval, time.Second, day) }),
		newSetting("types.unregistered", "accept", "Policy for events of unregistered types: accept stores them, reject rejects them",
			func(c *Config) value { return oneOf(&c.EventTypes.Unregistered, "accept", "reject") }),
		newSetting("access.refresh", "1s", "How often the cache of keys looks for changes; 3s at most, so that a revocation is in force within 5 s",
			func(c *Config) value { return durationValue(&c.Access.Refresh, 10*time.Millisecond, 3*time.Second) }),
		newSetting("access.failures_per_minute", "600", "Requests without a valid key that one address may send in a minute; further ones are answered 429; 0 sets no bound",
			func(c *Config) value { return countOrOff(&c.Access.FailuresPerMinute) }),
	}
}

func processTable() []setting {
	return []setting{
		newSetting("log.level", "info", "Lowest level that is logged",
			func(c *Config) value { return oneOf(&c.Log.Level, "debug", "info", "warn", "error") }),
		newSetting("log.format", "json", "Format of the log: json for machines, console for people",
			func(c *Config) value { return oneOf(&c.Log.Format, "json", "console") }),
		newSetting("log.access_every", "100", "One request in this many is logged; 0 logs only requests that the service failed to serve",
			func(c *Config) value { return countValue(&c.Log.AccessEvery, 0, maxCount) }),
		newSetting("metrics.event_types", "", "Event types with counters of their own, as category:name with commas between them",
			func(c *Config) value { return eventTypes{&c.Metrics.EventTypes} }),
		newSetting("drain.delay", "5s", "How long the service continues to serve after the signal to stop",
			func(c *Config) value { return durationValue(&c.Drain.Delay, 0, time.Hour) }),
		newSetting("drain.timeout", "25s", "How long the whole stop may take; must exceed the sum of drain.delay and http.budget",
			func(c *Config) value { return durationValue(&c.Drain.Timeout, minDuration, day) }),
	}
}
