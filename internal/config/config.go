package config

import (
	"errors"
	"time"
)

// Config is every setting of the service, read and checked. The zero Config is of
// no use; Load makes one.
type Config struct {
	HTTP      HTTPConfig
	Ops       OpsConfig
	Database  DatabaseConfig
	Ingest    IngestConfig
	Limits    LimitsConfig
	Errors    ErrorsConfig
	Retention RetentionConfig
	Access    AccessConfig
	// EventTypes is what becomes of types of events.
	EventTypes EventTypesConfig
	Log        LogConfig
	Metrics    MetricsConfig
	Drain      DrainConfig

	// OTel holds the variables of OpenTelemetry (OTEL_...), by name, as they were set.
	OTel map[string]string

	// origins tells where each setting came from, for Describe.
	origins map[string]Source
}

// HTTPConfig is what the public API is served with.
type HTTPConfig struct {
	// Listen is the host:port of the API, ":8080" by default. An address that is
	// taken or foreign stops the start.
	Listen string
	// Budget is the time in which every request to store is answered, 5 s by
	// default. Too short and a slow commit becomes a 503 and a retry; longer than
	// the patience of a proxy in front and the sender never sees the answer.
	Budget time.Duration
	// ReadHeaderTimeout bounds the arrival of a request's headers, 5 s by default.
	// Too long and idle connections pile up; too short and slow networks are cut off.
	ReadHeaderTimeout time.Duration
	// ReadTimeout bounds the arrival of a whole request, 15 s by default. Too short
	// and large batches over slow networks never arrive.
	ReadTimeout time.Duration
	// IdleTimeout is how long an unused connection is kept, 75 s by default. Shorter
	// than that of a proxy in front and the proxy sends into closed connections.
	IdleTimeout time.Duration
	// MaxHeaderBytes bounds a request's headers in bytes, 32 KiB by default. Too
	// small and requests with many cookies or trace headers are refused with 431.
	MaxHeaderBytes int
	// MaxConnections bounds the connections that are open at once, 8,192 by default; 0
	// does not. One more is answered 503 and closed. Each costs some 20 KiB.
	MaxConnections int
	// MinBodyRate is how many bytes of a body have to arrive in a second, on the average
	// and after ReadHeaderTimeout, 1 KiB by default; 0 asks for none. Too high and
	// senders with slow networks are cut off with 408.
	MinBodyRate int
}

// OpsConfig is what the operators' port is served with.
type OpsConfig struct {
	// Listen is the host:port of the probes, ":8081" by default. It has no
	// authentication and must not be reachable from outside.
	Listen string
	// Pprof serves Go's profiles at /debug/pprof/ there; off by default. On, who
	// reaches the port can slow the service down and see what it holds in memory.
	Pprof Switch
	// ReadyNeedsDatabase makes /readyz fail while the database is away; off by
	// default. On, an outage takes every replica out at once, and clients get a
	// proxy's error instead of our 503 with Retry-After.
	ReadyNeedsDatabase Switch
	// CensusInterval is how often the size of the database, its growth and its
	// partitions are measured, 1 m by default, between 10 s and 1 h. Too long and an
	// alert on them comes late; each time costs the database some milliseconds.
	CensusInterval time.Duration
}

// Switch is a setting that is on or off.
type Switch string

// The positions of a switch.
const (
	SwitchOff Switch = "off"
	SwitchOn  Switch = "on"
)

// Pooler tells what stands between the service and Postgres.
type Pooler string

const (
	// PoolerNone is a direct connection, or a pooler in session mode.
	PoolerNone Pooler = "none"
	// PoolerTransaction is PgBouncer, or the like, in transaction mode: no prepared
	// statement and no startup parameter survives there.
	PoolerTransaction Pooler = "transaction"
)

// Durability tells what to do while the database could lose what it commits.
type Durability string

const (
	// DurabilityReport stores, and says so in the log, a metric and /readyz.
	DurabilityReport Durability = "report"
	// DurabilityRequire answers with 503 instead of storing.
	DurabilityRequire Durability = "require"
)

// DatabaseConfig is how Postgres is reached.
type DatabaseConfig struct {
	// URL is the connection string, a URL or keywords and values; it has no default.
	// RequireDatabase tells whether it is set.
	URL Secret
	// Pooler is PoolerNone by default. Behind a pooler in transaction mode, "none"
	// makes statements fail at random.
	Pooler Pooler
	// Durability is DurabilityReport by default: settings of the database by which a
	// crash or a failover loses acknowledged events are reported and events are stored
	// all the same. With DurabilityRequire nothing is stored until they are corrected.
	Durability Durability
	// WriteConnections bounds the connections that store, 4 by default: one for each
	// lane and the rest for housekeeping. Replicas times all connections must stay
	// below the server's max_connections.
	WriteConnections int
	// ReadConnections bounds the connections that answer questions, 8 by default.
	// Too few and analysts wait for one another.
	ReadConnections int
	// ConnectTimeout bounds one attempt to connect, 3 s by default. Longer than the
	// budget and a request cannot outlive one failed attempt.
	ConnectTimeout time.Duration
	// StartupTimeout is how long a start waits for the first connection, 30 s by
	// default. Too short and the service gives up on a database that starts with it.
	StartupTimeout time.Duration
	// ReadTimeout is the statement timeout of questions, 30 s by default. Too long
	// and a few heavy ones hold all read connections.
	ReadTimeout time.Duration
	// Capacity is how many bytes the disk holds that was given to Postgres; 0, the
	// default, is unknown. It only tells in how many days that disk is full: too large
	// and the warning comes too late.
	Capacity int
}

// IngestConfig is the shape of the group commit.
type IngestConfig struct {
	// Lanes is how many transactions may store at once, 2 by default. Each holds one
	// write connection; more than the server has cores gains nothing.
	Lanes int
	// GroupEvents bounds the events of one transaction, 5,000 by default. Large
	// groups lengthen everyone's wait, small ones lower the ceiling.
	GroupEvents int
	// GroupBytes bounds the bytes of one transaction, 16 MiB by default.
	GroupBytes int
	// QueueEvents bounds the events that wait for a transaction, 50,000 by default.
	// Past it a request is refused at once with 503.
	QueueEvents int
	// QueueBytes bounds the bytes that wait, 128 MiB by default. It is memory: above
	// what the process may use, a slow database ends it.
	QueueBytes int
}

// LimitsConfig is what a sender may send, published at GET /v1/limits.
type LimitsConfig struct {
	// BodyBytes bounds a body as sent, in bytes, 1 MiB by default.
	BodyBytes int
	// InflatedBytes bounds a body after decompression, in bytes, 10 MiB by default.
	// Each request being read may hold as much memory.
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
	// default; 0 allows none. Less than the drift of the senders' clocks and their
	// events are refused.
	MaxAhead time.Duration
	// MaxAge is how old a timestamp may be, 10 years of 365 days by default.
	MaxAge time.Duration
}

// ErrorsConfig bounds what is kept of refused events.
type ErrorsConfig struct {
	// KeptPerHour is how many refusals of one application are kept in an hour,
	// 10,000 by default. Beyond it they are counted and sampled.
	KeptPerHour int
	// KeptBytesPerHour bounds the same in bytes, 64 MiB by default. Applications
	// times it is what garbage may cost of the disk in an hour.
	KeptBytesPerHour int
}

// RetentionConfig is how long things are kept.
type RetentionConfig struct {
	// Events is how long events are kept by their timestamp; 0, the default, keeps
	// them for ever. When on it is a day at least. What it drops is gone.
	Events time.Duration
	// Errors is how long refused events are kept; 0, the default, keeps them for
	// ever. When on it is a day at least.
	Errors time.Duration
	// Audit is how long entries of the audit log are kept; 0, the default, keeps them
	// for ever. When on it is a day at least. Who changed what is not known beyond it.
	Audit time.Duration
	// Timings is how long it is known how long the commits of groups took, 7 days by
	// default; it costs some 100 MB a day at a hundred events a second.
	Timings time.Duration
	// Interval is how often partitions are made and dropped, 1 h by default.
	Interval time.Duration
}

// AccessConfig is how keys are known.
type AccessConfig struct {
	// Refresh is how often changes of keys are looked for, 1 s by default and 3 s at
	// most: more, and a revocation would not hold everywhere within 5 s.
	Refresh time.Duration
	// FailuresPerMinute is how many requests without a valid key are answered 401 to one
	// address in a minute, 600 by default; 0 bounds it not. Beyond them the answer is
	// 429. Behind a proxy all share its address; requests with a valid key never count.
	FailuresPerMinute int
}

// EventTypesConfig is what becomes of types of events.
type EventTypesConfig struct {
	// Unregistered is what becomes of events whose type nobody registered: accept, the
	// default, or reject.
	Unregistered string
}

// LogConfig is what is logged and how it looks.
type LogConfig struct {
	// Level is debug, info, warn or error; info by default.
	Level string
	// Format is json or console; json by default. Console is for people.
	Format string
	// AccessEvery is how many requests make a line in the log, 100 by default: 1
	// writes one for each, 0 only for those that fail for a reason of ours.
	AccessEvery int
}

// MetricsConfig is what is measured beyond the usual.
type MetricsConfig struct {
	// EventTypes are counted each by itself; none by default. Every one of them adds
	// time series, so the list is what bounds their number.
	EventTypes []EventType
}

// EventType is a category and a name.
type EventType struct {
	Category string
	Name     string
}

// DrainConfig is how the service stops.
type DrainConfig struct {
	// Delay is how long the service goes on serving after it was told to stop, 5 s
	// by default; 0 closes at once. Shorter than the time in which the proxies learn
	// of it, and they send to a closed door.
	Delay time.Duration
	// Timeout is the deadline of the whole stop, 25 s by default. It must lie above
	// Delay and HTTPConfig.Budget together, and below the supervisor's patience.
	Timeout time.Duration
}

// RequireDatabase returns an error that says how to set database.url when it is
// not set. Commands that need a database call it before anything else.
func (c Config) RequireDatabase() error {
	if c.Database.URL != "" {
		return nil
	}

	return errors.New("database.url is not set: set THEEYE_DATABASE_URL to a Postgres connection string " +
		"such as postgres://user:password@host:5432/name, or THEEYE_DATABASE_URL_FILE to a file that holds one")
}
