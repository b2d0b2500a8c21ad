package doctor

import "time"

// Fact is something that was asked for: its value, or why there is none.
type Fact[T any] struct {
	Value T
	Err   error
}

// Database is what is known of the database. Where Err is set, nothing else is.
type Database struct {
	// Err tells why the database could not be reached.
	Err error
	// Pooler is asked for first. Where it has no transactions, nothing else is set.
	Pooler       Fact[Pooler]
	Server       Fact[Server]
	Schema       Fact[Schema]
	Settings     Fact[Settings]
	Overrides    Fact[[]Override]
	Connections  Fact[Connections]
	Tables       Fact[[]Table]
	Indexes      Fact[[]Index]
	Constraints  Fact[[]Constraint]
	Additions    Fact[[]Addition]
	Partitions   Fact[[]Partition]
	Detached     Fact[[]Detached]
	Ages         Fact[Ages]
	Transactions Fact[Transactions]
	Waits        Fact[[]Wait]
	Slots        Fact[[]Slot]
	Sizes        Fact[Sizes]
	Privileges   Fact[Privileges]
	Trust        Fact[Trust]
	Clock        Fact[Clock]
}

// Pooler is how a pooler in between takes what the service asks of it. A server that is
// reached directly does all of it.
type Pooler struct {
	// ErrorMessage is what it says where it refuses a connection or a transaction; empty: it does not.
	ErrorMessage string
	// NoTransactions tells that it refuses transactions, so that nothing can be asked.
	NoTransactions bool
	// ParametersIgnored tells that the settings that a connection begins with are not in force.
	ParametersIgnored bool
}

// Addition is a thing of a table or partition of ours that can refuse or change its rows.
type Addition struct {
	// Kind is what it is, such as "trigger".
	Kind  string
	Table string
	Name  string
}

// Server is what a server says of itself.
type Server struct {
	// Number is the version as server_version_num has it: 150006.
	Number     int
	Version    string
	InRecovery bool
	// ReadOnly tells that transactions of the role are read-only unless they ask.
	ReadOnly bool
	Now      time.Time
	// Encoding is that of the database, and ClientEncoding what the session speaks.
	Encoding       string
	ClientEncoding string
}

// Schema is how far the schema is, and what it promises.
type Schema struct {
	// Version is that of the last migration that was applied; 0 is none.
	Version int64
	// Needed is that of the newest migration of this build.
	Needed int64
	// Indexes and Constraints are those that a current schema has.
	Indexes     []Name
	Constraints []Name
}

// Name is a named thing of a table.
type Name struct {
	Table string
	Name  string
}

// Settings are the server's, as a session of the role begins with them. Sizes are in
// bytes and times in milliseconds.
type Settings map[string]string

// Override is a setting that is set for a role, a database, or both; empty is all.
type Override struct {
	Role     string
	Database string
	Setting  string
	Value    string
}

// Connections is who is connected, and how many may be.
type Connections struct {
	// Backends are those of clients, without the doctor's own.
	Backends []Backend
	// Superuser tells that limits of role and database do not hold.
	Superuser bool
	// RoleLimit and DatabaseLimit are negative where there is none.
	RoleLimit     int
	DatabaseLimit int
}

// Backend counts the connections of one client.
type Backend struct {
	Application string
	Client      string
	// SameDatabase tells that they are in the service's database.
	SameDatabase bool
	Count        int
}

// Table is a table or a partition of ours.
type Table struct {
	Name string
	// Parent is the partitioned table; empty for one that is no partition.
	Parent string
	// Options are its storage parameters, such as fillfactor=70.
	Options    []string
	Live       int64
	Dead       int64
	Updates    int64
	HotUpdates int64
	// LastVacuum is zero when there was none since the statistics begin.
	LastVacuum time.Time
	Owned      bool
}

// Index is an index of a table or partition of ours.
type Index struct {
	Table string
	Name  string
	// Parent is the index of the partitioned table that it is a part of.
	Parent string
	Valid  bool
	// Columns are the table's columns that it holds.
	Columns []string
}

// Constraint is one of a table or partition of ours.
type Constraint struct {
	Table string
	Name  string
	Valid bool
}

// Partition is an attached partition.
type Partition struct {
	Table string
	Name  string
	// Month tells that it has the name and the bounds of a month, as the service makes them.
	Month bool
	// Default tells that it takes what no other takes.
	Default bool
	// Detaching tells that a detachment began and did not end.
	Detaching bool
	From      time.Time
	To        time.Time
}

// Detached is a table that is no partition and is named like one.
type Detached struct {
	Name string
	// Table is the partitioned table that it is named after.
	Table string
	// Month tells that it has the name of a month's partition, so that none can be made.
	Month bool
	// Marked tells that retention detached it, or was about to: it is on its way out.
	Marked bool
}

// Ages are how many transactions ago the oldest row was frozen.
type Ages struct {
	Database       int64
	DatabaseMulti  int64
	OldestTable    string
	OldestTableAge int64
}

// Transactions are those that have been open for long.
type Transactions struct {
	Open []Transaction
	// Hidden counts the sessions that the role may not look into.
	Hidden int
}

// Transaction is one that is open.
type Transaction struct {
	// PID is 0 for a prepared transaction.
	PID         int
	User        string
	Application string
	Client      string
	// State is what its session does, such as "idle in transaction".
	State string
	Age   time.Duration
}

// Wait is a session that waits for a lock.
type Wait struct {
	PID         int
	Application string
	Relation    string
	Mode        string
	Waiting     time.Duration
	BlockedBy   []int
}

// Slot is a replication slot.
type Slot struct {
	Name   string
	Active bool
	// Retained is the bytes of log that it keeps.
	Retained int64
}

// Sizes are bytes on disk, indexes and partitions included.
type Sizes struct {
	Database int64
	// Tables are in falling order.
	Tables []TableSize
}

// TableSize is the size of a table.
type TableSize struct {
	Name  string
	Bytes int64
}

// Privileges is what the role may do.
type Privileges struct {
	Role      string
	Superuser bool
	Schema    string
	// Create tells that it may make tables in Schema.
	Create bool
	// Missing names what it may not do and has to, such as "insert on event".
	Missing []string
	// Foreign are the partitioned tables and partitions that it does not own.
	Foreign []string
	// Functions tells that the schema's functions make and drop partitions for it.
	Functions bool
}

// Trust is who could make the service's statements run something else than was meant.
type Trust struct {
	// Owner is the role that owns the tables.
	Owner string
	// Schema is that of the tables, and SchemaOwner whose it is.
	Schema      string
	SchemaOwner string
	// Creates tells that the owner of the tables may create in their schema.
	Creates bool
	// Granted tells that other roles than the owner have rights on the tables.
	Granted bool
	// Creators are the grants by which others than the owners may create.
	Creators []Creator
	// UntrustedObjects is what such roles have made in the schemas of search_path.
	UntrustedObjects []UntrustedObject
}

// Creator is a grant by which a role that is not trusted may create something.
type Creator struct {
	// Kind is schema or database.
	Kind      string
	Name      string
	Owner     string
	Privilege string
	// Role is empty for PUBLIC, which is everybody.
	Role string
}

// UntrustedObject is something that a role made which is not trusted.
type UntrustedObject struct {
	// Kind is function, operator or table.
	Kind string
	// Name has the schema, and the arguments of a function.
	Name  string
	Owner string
	// Shadows tells that it has the name of something that the service uses.
	Shadows bool
}

// Clock is how far a clock is ahead of this machine's.
type Clock struct {
	Ahead time.Duration
	// Uncertainty is how far off Ahead may be.
	Uncertainty time.Duration
}

// ServiceFacts is what a service shows to those who call it. What is nil was not asked for.
type ServiceFacts struct {
	Public *Public
	Ops    *Ops
}

// Public is the port of the API.
type Public struct {
	// URL has no credentials.
	URL string
	// Err tells why it did not answer.
	Err error
	// Untrusted tells that Err is about its certificate.
	Untrusted bool
	Status    int
	// Limits tells that the answer was that of /v1/limits.
	Limits    bool
	Took      time.Duration
	RequestID bool
	// Expires is when the first of its certificates ends; zero without TLS.
	Expires time.Time
	Now     time.Time
	Clock   Fact[Clock]
	// Hidden are the paths of the second port, asked at this one.
	Hidden []Exposure
}

// Exposure is how a path that should not be there was answered.
type Exposure struct {
	Path   string
	Status int
	Err    error
}

// Ops is the second port.
type Ops struct {
	URL string
	// Err tells why it did not answer.
	Err      error
	Live     int
	Ready    Fact[Readiness]
	Profiles Fact[int]
	// Version is that of the service; empty when it does not tell.
	Version Fact[string]
}

// Readiness is what /readyz?verbose tells.
type Readiness struct {
	Status int
	Failed []ReadyCheck
}

// ReadyCheck is a check that did not succeed.
type ReadyCheck struct {
	Name     string
	Required bool
	Detail   string
}
