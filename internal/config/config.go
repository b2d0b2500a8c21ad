package config

import (
	"errors"
	"net/netip"
	"time"
)

// Config is every setting of the service, read and checked. The zero Config is not
// usable; Load makes one.
type Config struct {
	HTTP      HTTPConfig
	Ops       OpsConfig
	Database  DatabaseConfig
	Ingest    IngestConfig
	Limits    LimitsConfig
	Errors    ErrorsConfig
	Retention RetentionConfig
	Access    AccessConfig
	// EventTypes holds the settings for event types.
	EventTypes EventTypesConfig
	Log        LogConfig
	Metrics    MetricsConfig
	Drain      DrainConfig

	// OTel holds the variables of OpenTelemetry (OTEL_...), by name, as they were set.
	OTel map[string]string

	// origins holds the source of each setting, for Describe.
	origins map[string]Source
}

// HTTPConfig holds the settings of the public API.
type HTTPConfig struct {
	// Listen is the host:port of the API, ":8080" by default. If the address is in use
	// or not of this host, the service does not start.
	Listen string
	// Budget is the longest time until a request to store events is answered, from when
	// it is queued; 5 s by default. ReadTimeout bounds the arrival of its body. Too short, and a slow commit becomes a 503 and a
	// retry; longer than the timeout of a proxy in front, and the sender never sees the
	// answer.
	Budget time.Duration
	// ReadHeaderTimeout bounds the arrival of a request's headers, 5 s by default. Too
	// long, and idle connections pile up; too short, and slow networks are cut off.
	ReadHeaderTimeout time.Duration
	// ReadTimeout bounds the arrival of a whole request, 15 s by default. Too short,
	// and large batches over slow networks never arrive.
	ReadTimeout time.Duration
	// IdleTimeout is how long an unused connection is kept, 75 s by default. Shorter
	// than that of a proxy in front, and the proxy sends into closed connections.
	IdleTimeout time.Duration
	// MaxHeaderBytes bounds a request's headers in bytes, 32 KiB by default. Too small,
	// and requests with many cookies or trace headers are rejected with 431.
	MaxHeaderBytes int
	// MaxConnections bounds the open connections, 8,192 by default; 0 sets no bound. A
	// connection past the bound is answered 503 and closed. Each connection costs some
	// 20 KiB.
	MaxConnections int
	// MinBodyRate is how many bytes of a body have to arrive in a second, on average
	// and after ReadHeaderTimeout, 1 KiB by default; 0 sets no minimum. Too high, and
	// senders with slow networks are cut off with 408.
	MinBodyRate int
	// TrustedProxies are the networks of the proxies whose X-Forwarded-For is believed;
	// none by default. Without those of a proxy in front, all of its clients share one
	// address and its limits; with others, whoever is there can claim any address.
	// Addresses of IPv4 are not mapped into IPv6, and no prefix covers everything.
	TrustedProxies []netip.Prefix
}

// OpsConfig holds the settings of the operators' port.
type OpsConfig struct {
	// Listen is the host:port of the probes, ":8081" by default. It has no
	// authentication and must not be reachable from outside.
	Listen string
	// Pprof serves Go's profiles at /debug/pprof/ there; off by default. When on, any
	// client that reaches the port can slow the service down and read its memory.
	Pprof Switch
	// ReadyNeedsDatabase makes /readyz fail while the database is unreachable; off by
	// default. When on, a database outage takes every replica out at once, and clients
	// get the proxy's error instead of the service's 503 with Retry-After.
	ReadyNeedsDatabase Switch
	// CensusInterval is how often the size of the database, its growth and its
	// partitions are measured, 1 m by default, between 10 s and 1 h. Too long, and an
	// alert on them comes late; each measurement costs the database some milliseconds.
	CensusInterval time.Duration
}

// Switch is a setting that is on or off.
type Switch string

// The positions of a switch.
const (
	SwitchOff Switch = "off"
	SwitchOn  Switch = "on"
)

// Pooler is the kind of connection pooler between the service and Postgres.
type Pooler string

const (
	// PoolerNone is a direct connection, or a pooler in session mode.
	PoolerNone Pooler = "none"
	// PoolerTransaction is PgBouncer or a similar pooler in transaction mode, where
	// prepared statements and startup parameters do not work.
	PoolerTransaction Pooler = "transaction"
)

// Durability is the policy for a database whose settings could lose committed events.
type Durability string

const (
	// DurabilityReport stores events, and reports the risk in the log, a metric and
	// /readyz.
	DurabilityReport Durability = "report"
	// DurabilityRequire answers 503 instead of storing events.
	DurabilityRequire Durability = "require"
)

// DatabaseConfig holds the settings of the connections to Postgres.
type DatabaseConfig struct {
	// URL is the connection string, a URL or keywords and values; it has no default.
	// RequireDatabase reports whether it is set.
	URL Secret
	// Pooler is PoolerNone by default. Behind a pooler in transaction mode, "none"
	// makes statements fail at random.
	Pooler Pooler
	// Durability is DurabilityReport by default: if settings of the database let a
	// crash or a failover lose acknowledged events, they are reported, and events are
	// still stored. With DurabilityRequire nothing is stored until the settings are
	// corrected.
	Durability Durability
	// WriteConnections bounds the connections that store events, 4 by default: one for
	// each lane and the rest for background work. The connections of all replicas
	// together must stay below the server's max_connections.
	WriteConnections int
	// ReadConnections bounds the connections for queries, 8 by default. Too few, and
	// analysts wait for one another.
	ReadConnections int
	// ConnectTimeout bounds one attempt to connect, 3 s by default. Longer than the
	// budget, and a request cannot outlive one failed attempt.
	ConnectTimeout time.Duration
	// StartupTimeout is how long a start waits for the first connection, 30 s by
	// default. Too short, and the service gives up on a database that starts at the
	// same time.
	StartupTimeout time.Duration
	// ReadTimeout is the statement timeout of queries, 30 s by default. Too long, and a
	// few heavy queries hold all read connections.
	ReadTimeout time.Duration
	// Capacity is the size in bytes of the disk of Postgres; 0, the default, is
	// unknown. It is only used to estimate in how many days that disk is full: too
	// large, and the warning comes too late.
	Capacity int
}

// IngestConfig holds the settings of the group commit.
type IngestConfig struct {
	// Lanes is how many transactions may store events at once, 2 by default. Each holds
	// one write connection; more lanes than the server has cores gain nothing.
	Lanes int
	// GroupEvents bounds the events of one transaction, 5,000 by default. Large groups
	// make every request wait longer, small ones lower the highest rate.
	GroupEvents int
	// GroupBytes bounds the bytes of one transaction, 16 MiB by default.
	GroupBytes int
	// QueueEvents bounds the events that wait for a transaction, 50,000 by default.
	// Past it a request is rejected at once with 503.
	QueueEvents int
	// QueueBytes bounds the bytes that wait, 128 MiB by default. They are in memory: if
	// the bound exceeds the memory of the process, a slow database makes the process
	// run out of memory.
	QueueBytes int
}

// LimitsConfig holds the limits on requests, published at GET /v1/limits.
type LimitsConfig struct {
	// BodyBytes bounds a body as sent, in bytes, 1 MiB by default.
	BodyBytes int
	// InflatedBytes bounds a body after decompression, in bytes, 10 MiB by default.
	// Each request being read may use that much memory.
	InflatedBytes int
	// BatchEvents bounds the events of one request, 1,000 by default.
	BatchEvents int
	// EventBytes bounds one event, in bytes, 64 KiB by default.
	EventBytes int
	// JSONDepth bounds the nesting of one event, 32 by default, 128 at most.
	JSONDepth int
	// NumberDigits bounds the significant digits of one number, 40 by default.
	NumberDigits int
	// MaxAhead is how far ahead of the service's clock a timestamp may be, 5 s by
	// default; 0 allows none. Less than the drift of the senders' clocks, and their
	// events are rejected.
	MaxAhead time.Duration
	// MaxAge is how old a timestamp may be, 10 years of 365 days by default.
	MaxAge time.Duration
}

// ErrorsConfig bounds the rejections that are kept.
type ErrorsConfig struct {
	// KeptPerHour is how many rejections of one application are kept in an hour, 10,000
	// by default. Rejections beyond it are counted and sampled.
	KeptPerHour int
	// KeptBytesPerHour bounds the same in bytes, 64 MiB by default. Multiplied by the
	// number of applications, it is the disk space that invalid events may use in an
	// hour.
	KeptBytesPerHour int
}

// RetentionConfig holds the settings of retention.
type RetentionConfig struct {
	// Events is how long events are kept by their timestamp; 0, the default, keeps them
	// for ever. Otherwise it is at least a day. Deleted events cannot be restored.
	Events time.Duration
	// Errors is how long rejected events are kept; 0, the default, keeps them for ever.
	// Otherwise it is at least a day.
	Errors time.Duration
	// Audit is how long entries of the audit log are kept; 0, the default, keeps them
	// for ever. Otherwise it is at least a day. There is no record of older changes.
	Audit time.Duration
	// Timings is how long the commit times of groups are kept, 7 days by default; they
	// use some 100 MB a day at a hundred events a second.
	Timings time.Duration
	// Interval is how often partitions are created and dropped, 1 h by default.
	Interval time.Duration
}

// AccessConfig holds the settings of authentication.
type AccessConfig struct {
	// Refresh is how often the cache of keys looks for changes, 1 s by default and 3 s
	// at most: with more, a revocation would not be in force on every replica within 5
	// s.
	Refresh time.Duration
	// FailuresPerMinute is how many requests without a valid key one address may send
	// in a minute, 600 by default; 0 sets no bound. They are answered 401, further ones
	// 429. Clients behind a proxy share its address; requests with a valid key never
	// count.
	FailuresPerMinute int
}

// EventTypesConfig holds the settings for event types.
type EventTypesConfig struct {
	// Unregistered is the policy for events of unregistered types: accept, the default,
	// or reject.
	Unregistered string
}

// LogConfig holds the settings of the log.
type LogConfig struct {
	// Level is debug, info, warn or error; info by default.
	Level string
	// Format is json or console; json by default. Console is for people.
	Format string
	// AccessEvery is how many requests make one line in the log, 100 by default: 1
	// writes a line for each request, 0 only for requests that the service failed to
	// serve.
	AccessEvery int
}

// MetricsConfig holds the settings of optional metrics.
type MetricsConfig struct {
	// EventTypes are the event types with counters of their own; none by default. Each
	// adds time series, so the list bounds the number of time series.
	EventTypes []EventType
}

// EventType is a category and a name.
type EventType struct {
	Category string
	Name     string
}

// DrainConfig holds the settings of the stop of the service.
type DrainConfig struct {
	// Delay is how long the service continues to serve after the signal to stop, 5 s by
	// default; 0 closes at once. Proxies that learn of the stop only after Delay send
	// requests to a closed port.
	Delay time.Duration
	// Timeout is the deadline of the whole stop, 25 s by default. It must exceed the
	// sum of Delay and HTTPConfig.Budget, and be shorter than the supervisor's own
	// timeout.
	Timeout time.Duration
}

// RequireDatabase returns an error that explains how to set database.url if it is not
// set. Commands that need a database call it before anything else.
func (c Config) RequireDatabase() error {
	if c.Database.URL != "" {
		return nil
	}

	return errors.New("database.url is not set: set THEEYE_DATABASE_URL to a Postgres connection string " +
		"such as postgres://user:password@host:5432/name, or THEEYE_DATABASE_URL_FILE to a file that holds one")
}
