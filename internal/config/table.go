package config

import (
	"slices"
	"time"
)

// Bounds that several settings share. Those above are far beyond use; they catch
// a slip of the keyboard before it becomes an allocation.
const (
	minDuration = time.Millisecond
	maxDuration = 365 * day
	maxCount    = 10_000_000
	maxSize     = gibibyte
)

// settingsTable is the one place that says which settings there are.
func settingsTable() []setting {
	return slices.Concat(
		httpTable(), databaseTable(), ingestTable(), limitsTable(), retentionTable(), processTable(),
	)
}

func httpTable() []setting {
	return []setting{
		newSetting("http.listen", ":8080", "Where the API listens",
			func(c *Config) value { return address{&c.HTTP.Listen} }),
		newSetting("http.budget", "5s", "The time in which every request to store is answered",
			func(c *Config) value { return durationValue(&c.HTTP.Budget, 100*time.Millisecond, time.Hour) }),
		newSetting("http.read_header_timeout", "5s", "How long the headers of a request may take to arrive",
			func(c *Config) value { return durationValue(&c.HTTP.ReadHeaderTimeout, minDuration, time.Hour) }),
		newSetting("http.read_timeout", "15s", "How long a whole request may take to arrive",
			func(c *Config) value { return durationValue(&c.HTTP.ReadTimeout, minDuration, time.Hour) }),
		newSetting("http.idle_timeout", "75s", "How long an unused connection is kept; longer than a proxy in front keeps it",
			func(c *Config) value { return durationValue(&c.HTTP.IdleTimeout, minDuration, day) }),
		newSetting("http.max_header_bytes", "32KiB", "Size of a request's headers",
			func(c *Config) value { return sizeValue(&c.HTTP.MaxHeaderBytes, kibibyte, 16*mebibyte) }),
		newSetting("http.max_connections", "8192", "Connections that may be open at once; 0 is no bound",
			func(c *Config) value { return countOrOff(&c.HTTP.MaxConnections) }),
		newSetting("http.min_body_rate", "1KiB", "Bytes of a body that have to arrive in a second, after http.read_header_timeout; 0 is none",
			func(c *Config) value { return sizeOrOff(&c.HTTP.MinBodyRate, 1) }),
		newSetting("ops.listen", ":8081", "Where probes listen; keep it from the public",
			func(c *Config) value { return address{&c.Ops.Listen} }),
		newSetting("ops.pprof", "off", "Whether Go's profiles are served there, at /debug/pprof/",
			func(c *Config) value { return oneOf(&c.Ops.Pprof, SwitchOff, SwitchOn) }),
		newSetting("ops.ready_needs_database", "off", "Whether /readyz fails while the database is away, which takes every replica out at once",
			func(c *Config) value { return oneOf(&c.Ops.ReadyNeedsDatabase, SwitchOff, SwitchOn) }),
		newSetting("ops.census_interval", "1m", "How often the size and the partitions of the database are measured",
			func(c *Config) value { return durationValue(&c.Ops.CensusInterval, 10*time.Second, time.Hour) }),
	}
}

func databaseTable() []setting {
	return []setting{
		newSetting("database.url", "", "Connection string of the Postgres database; required",
			func(c *Config) value { return connection{&c.Database.URL} }),
		newSetting("database.pooler", "none", "What stands before the database: transaction is PgBouncer in transaction mode (no prepared statements, no startup parameters)",
			func(c *Config) value { return oneOf(&c.Database.Pooler, PoolerNone, PoolerTransaction) }),
		newSetting("database.durability", "report", "What to do while a setting of the database (synchronous_commit, fsync, full_page_writes) could lose acknowledged events: report it, or require a safe one and store nothing until then",
			func(c *Config) value { return oneOf(&c.Database.Durability, DurabilityReport, DurabilityRequire) }),
		newSetting("database.write_connections", "4", "Connections that store: one for each lane, the rest for housekeeping",
			func(c *Config) value { return countValue(&c.Database.WriteConnections, 2, 10_000) }),
		newSetting("database.read_connections", "8", "Connections that answer questions",
			func(c *Config) value { return countValue(&c.Database.ReadConnections, 1, 10_000) }),
		newSetting("database.connect_timeout", "3s", "How long one attempt to connect may take",
			func(c *Config) value { return durationValue(&c.Database.ConnectTimeout, minDuration, time.Hour) }),
		newSetting("database.startup_timeout", "30s", "How long a start waits for the first connection",
			func(c *Config) value { return durationValue(&c.Database.StartupTimeout, minDuration, time.Hour) }),
		newSetting("database.read_timeout", "30s", "How long the database may work on one question",
			func(c *Config) value { return durationValue(&c.Database.ReadTimeout, minDuration, day) }),
		newSetting("database.capacity", "0", "Size of the disk given to Postgres, such as 500GiB, from which the days until it is full are worked out; 0 is unknown",
			func(c *Config) value { return sizeOrOff(&c.Database.Capacity, mebibyte) }),
	}
}

func ingestTable() []setting {
	return []setting{
		newSetting("ingest.lanes", "2", "Transactions that may store at once, each on a connection of its own",
			func(c *Config) value { return countValue(&c.Ingest.Lanes, 1, 1000) }),
		newSetting("ingest.group_events", "5000", "Events that one transaction may store",
			func(c *Config) value { return countValue(&c.Ingest.GroupEvents, 1, maxCount) }),
		newSetting("ingest.group_bytes", "16MiB", "Bytes that one transaction may store",
			func(c *Config) value { return sizeValue(&c.Ingest.GroupBytes, 1, maxSize) }),
		newSetting("ingest.queue_events", "50000", "Events that may wait for a transaction; beyond them the answer is 503",
			func(c *Config) value { return countValue(&c.Ingest.QueueEvents, 1, maxCount) }),
		newSetting("ingest.queue_bytes", "128MiB", "Bytes that may wait for a transaction; beyond them the answer is 503",
			func(c *Config) value { return sizeValue(&c.Ingest.QueueBytes, 1, maxSize) }),
	}
}

func limitsTable() []setting {
	return []setting{
		newSetting("limits.body_bytes", "1MiB", "Size of a body as sent",
			func(c *Config) value { return sizeValue(&c.Limits.BodyBytes, 1, maxSize) }),
		newSetting("limits.inflated_bytes", "10MiB", "Size of a body after decompression",
			func(c *Config) value { return sizeValue(&c.Limits.InflatedBytes, 1, maxSize) }),
		newSetting("limits.batch_events", "1000", "Events of one request",
			func(c *Config) value { return countValue(&c.Limits.BatchEvents, 1, maxCount) }),
		newSetting("limits.event_bytes", "64KiB", "Size of one event",
			func(c *Config) value { return sizeValue(&c.Limits.EventBytes, 1, maxSize) }),
		newSetting("limits.json_depth", "32", "Levels of nesting in one event; 128 at most",
			func(c *Config) value { return countValue(&c.Limits.JSONDepth, 1, 128) }),
		newSetting("limits.number_digits", "40", "Significant digits of one number",
			func(c *Config) value { return countValue(&c.Limits.NumberDigits, 1, 1000) }),
		newSetting("limits.max_ahead", "5s", "How far ahead of the service's clock a timestamp may be",
			func(c *Config) value { return durationValue(&c.Limits.MaxAhead, 0, maxDuration) }),
		newSetting("limits.max_age", "87600h", "How old a timestamp may be",
			func(c *Config) value { return durationValue(&c.Limits.MaxAge, minDuration, 100*maxDuration) }),
	}
}

func retentionTable() []setting {
	return []setting{
		newSetting("errors.kept_per_hour", "10000", "Refused events of one application that are kept in an hour; beyond them they are counted and sampled",
			func(c *Config) value { return countValue(&c.Errors.KeptPerHour, 1, maxCount) }),
		newSetting("errors.kept_bytes_per_hour", "64MiB", "The same in bytes",
			func(c *Config) value { return sizeValue(&c.Errors.KeptBytesPerHour, 1, maxSize) }),
		newSetting("retention.events", "0", "How long events are kept, such as 365d; 0 keeps them for ever",
			func(c *Config) value { return durationOrOff(&c.Retention.Events, day) }),
		newSetting("retention.errors", "0", "How long refused events are kept, such as 90d; 0 keeps them for ever",
			func(c *Config) value { return durationOrOff(&c.Retention.Errors, day) }),
		newSetting("retention.audit", "0", "How long it is kept what administrators changed, such as 730d; 0 keeps it for ever",
			func(c *Config) value { return durationOrOff(&c.Retention.Audit, day) }),
		newSetting("retention.timings", "7d", "How long it is known how long the commit of each event took",
			func(c *Config) value { return durationValue(&c.Retention.Timings, time.Hour, maxDuration) }),
		newSetting("retention.interval", "1h", "How often partitions are made and dropped",
			func(c *Config) value { return durationValue(&c.Retention.Interval, time.Second, day) }),
		newSetting("types.unregistered", "accept", "What becomes of events whose category and name nobody registered: accept stores them, reject refuses them",
			func(c *Config) value { return oneOf(&c.EventTypes.Unregistered, "accept", "reject") }),
		newSetting("access.refresh", "1s", "How often changes of keys are looked for; 3s at most, so that a revocation holds within 5 s",
			func(c *Config) value { return durationValue(&c.Access.Refresh, 10*time.Millisecond, 3*time.Second) }),
		newSetting("access.failures_per_minute", "600", "Requests without a valid key that one address may make in a minute; beyond them the answer is 429; 0 is no bound",
			func(c *Config) value { return countOrOff(&c.Access.FailuresPerMinute) }),
	}
}

func processTable() []setting {
	return []setting{
		newSetting("log.level", "info", "What is logged: this level and above",
			func(c *Config) value { return oneOf(&c.Log.Level, "debug", "info", "warn", "error") }),
		newSetting("log.format", "json", "How it is logged: json for machines, console for people",
			func(c *Config) value { return oneOf(&c.Log.Format, "json", "console") }),
		newSetting("log.access_every", "100", "One of how many requests is logged; 0 logs none but those that fail for a reason of ours",
			func(c *Config) value { return countValue(&c.Log.AccessEvery, 0, maxCount) }),
		newSetting("metrics.event_types", "", "Event types that are counted each by itself, as category:name with commas between them",
			func(c *Config) value { return eventTypes{&c.Metrics.EventTypes} }),
		newSetting("drain.delay", "5s", "How long the service goes on serving after it was told to stop",
			func(c *Config) value { return durationValue(&c.Drain.Delay, 0, time.Hour) }),
		newSetting("drain.timeout", "25s", "How long the whole stop may take; more than drain.delay and http.budget together",
			func(c *Config) value { return durationValue(&c.Drain.Timeout, minDuration, day) }),
	}
}
