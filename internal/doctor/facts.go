package doctor

import "time"

// Fact is one fact: its value, or the error of reading it.
type Fact[T any] struct {
	Value T
	Err   error
}

// Database holds the facts of the database. If Err is set, nothing else is.
type Database struct {
	// Err is the reason why the database could not be reached.
	Err error
	// Pooler is read first. If it has no transactions, nothing else is set.
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
	PublicKeys   Fact[PublicKeys]
	Clock        Fact[Clock]
}

// Pooler says which of the service's requirements a pooler in between does not meet. A
// server that is reached directly meets all of them.
type Pooler struct {
	// ErrorMessage is the pooler's error if it refuses a connection or a transaction.
	ErrorMessage string
	// NoTransactions means that it refuses transactions, so that nothing can be read.
	NoTransactions bool
	// ParametersIgnored means that the startup parameters of a connection are not in force.
	ParametersIgnored bool
}

// Addition is an object on one of the service's tables or partitions that can reject or
// change rows.
type Addition struct {
	// Kind is the kind of object, such as "trigger".
	Kind  string
	Table string
	Name  string
}

// Server describes the database server.
type Server struct {
	// Number is server_version_num, such as 150006.
	Number     int
	Version    string
	InRecovery bool
	// ReadOnly means that transactions of the role are read-only by default.
	ReadOnly bool
	Now      time.Time
	// Encoding is the encoding of the database, ClientEncoding that of the session.
	Encoding       string
	ClientEncoding string
}

// Schema is the version of the schema, and the objects that it has to have.
type Schema struct {
	// Version is the number of the last applied migration; 0 means none.
	Version int64
	// Needed is the number of the newest migration of this build.
	Needed int64
	// Indexes and Constraints are those of a current schema.
	Indexes     []Name
	Constraints []Name
}

// Name is the name of an object of a table.
type Name struct {
	Table string
	Name  string
}

// Settings are the server's settings at the start of a session of the role. Sizes are in
// bytes and times in milliseconds.
type Settings map[string]string

// Override is a setting of a role, a database, or both; an empty name means all.
type Override struct {
	Role     string
	Database string
	Setting  string
	Value    string
}

// Connections are the open connections, and their limits.
type Connections struct {
	// Backends are the connections of clients, without the doctor's own.
	Backends []Backend
	// Superuser means that the limits of the role and the database do not apply.
	Superuser bool
	// RoleLimit and DatabaseLimit are negative if there is no limit.
	RoleLimit     int
	DatabaseLimit int
}

// Backend counts the connections of one client.
type Backend struct {
	Application string
	Client      string
	// SameDatabase means that they use the service's database.
	SameDatabase bool
	Count        int
}

// Table is one of the service's tables or partitions.
type Table struct {
	Name string
	// Parent is the partitioned table; empty if this is not a partition.
	Parent string
	// Options are its storage parameters, such as fillfactor=70.
	Options    []string
	Live       int64
	Dead       int64
	Updates    int64
	HotUpdates int64
	// LastVacuum is zero if there was none since the statistics began.
	LastVacuum time.Time
	Owned      bool
}

// Index is an index of one of the service's tables or partitions.
type Index struct {
	Table string
	Name  string
	// Parent is the index of the partitioned table that it is a part of.
	Parent string
	Valid  bool
	// Columns are the indexed columns of the table.
	Columns []string
}

// Constraint is a constraint of one of the service's tables or partitions.
type Constraint struct {
	Table string
	Name  string
	Valid bool
}

// Partition is an attached partition.
type Partition struct {
	Table string
	Name  string
	// Month means that its name and bounds are those that the service gives to a month.
	Month bool
	// Default marks the default partition.
	Default bool
	// Detaching means that a detachment began and did not end.
	Detaching bool
	From      time.Time
	To        time.Time
}

// Detached is a table with the name of a partition that is not attached.
type Detached struct {
	Name string
	// Table is the partitioned table whose name it has.
	Table string
	// Month means that it has the name of a month's partition, which therefore cannot be created.
	Month bool
	// Marked means that retention detached it, or was about to, and will drop it.
	Marked bool
}

// Ages are the ages of the oldest unfrozen rows, in transactions.
type Ages struct {
	Database       int64
	DatabaseMulti  int64
	OldestTable    string
	OldestTableAge int64
}

// Transactions are the transactions that have been open for long.
type Transactions struct {
	Open []Transaction
	// Hidden counts the sessions that the role may not see.
	Hidden int
}

// Transaction is an open transaction.
type Transaction struct {
	// PID is 0 for a prepared transaction.
	PID         int
	User        string
	Application string
	Client      string
	// State is the state of its session, such as "idle in transaction".
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
	// Retained is the size of the retained log in bytes.
	Retained int64
}

// Sizes are bytes on disk, indexes and partitions included.
type Sizes struct {
	Database int64
	// Tables are in descending order of size.
	Tables []TableSize
}

// TableSize is the size of a table.
type TableSize struct {
	Name  string
	Bytes int64
}

// Privileges are the privileges of the role.
type Privileges struct {
	Role      string
	Superuser bool
	Schema    string
	// Create means that it may create tables in Schema.
	Create bool
	// Missing names the required privileges that it lacks, such as "insert on event".
	Missing []string
	// Foreign are the partitioned tables and partitions that the role does not own.
	Foreign []string
	// Functions means that the schema's functions create and drop partitions for it.
	Functions bool
}

// Trust says which roles could make the service's statements run other code than intended.
type Trust struct {
	// Owner is the role that owns the tables.
	Owner string
	// Schema is the schema of the tables, and SchemaOwner its owner.
	Schema      string
	SchemaOwner string
	// Creates means that the owner of the tables may create objects in their schema.
	Creates bool
	// Granted means that roles other than the owner have rights on the tables.
	Granted bool
	// Creators are the grants by which roles other than the owners may create objects.
	Creators []Creator
	// UntrustedObjects are the objects of such roles in the schemas of search_path.
	UntrustedObjects []UntrustedObject
}

// Creator is a grant by which an untrusted role may create objects.
type Creator struct {
	// Kind is schema or database.
	Kind      string
	Name      string
	Owner     string
	Privilege string
	// Role is empty for PUBLIC, which means every role.
	Role string
}

// UntrustedObject is an object of an untrusted role.
type UntrustedObject struct {
	// Kind is function, operator or table.
	Kind string
	// Name includes the schema, and the arguments of a function.
	Name  string
	Owner string
	// Shadows means that the service uses an object of the same name.
	Shadows bool
}

// Clock is the difference between a clock and this machine's.
type Clock struct {
	Ahead time.Duration
	// Uncertainty is the largest error of Ahead.
	Uncertainty time.Duration
}

// ServiceFacts holds the facts of a service as its clients see it. A nil part was not probed.
type ServiceFacts struct {
	Public *Public
	Ops    *Ops
}

// Public is the port of the API.
type Public struct {
	// URL has no credentials.
	URL string
	// Err is the reason why it did not answer.
	Err error
	// Untrusted means that Err is about its certificate.
	Untrusted bool
	Status    int
	// Limits means that the answer has the form of /v1/limits.
	Limits    bool
	Took      time.Duration
	RequestID bool
	// Expires is the earliest expiry of its certificates; zero without TLS.
	Expires time.Time
	Now     time.Time
	Clock   Fact[Clock]
	// Hidden are the answers of this port to the paths of the ops port.
	Hidden []Exposure
}

// Exposure is the answer to a path that should not be reachable.
type Exposure struct {
	Path   string
	Status int
	Err    error
}

// Ops is the ops port.
type Ops struct {
	URL string
	// Err is the reason why it did not answer.
	Err      error
	Live     int
	Ready    Fact[Readiness]
	Profiles Fact[int]
	// Version is the version of the service; empty if it does not report one.
	Version Fact[string]
}

// Readiness is the answer of /readyz?verbose.
type Readiness struct {
	Status int
	Failed []ReadyCheck
}

// ReadyCheck is a failed check of /readyz.
type ReadyCheck struct {
	Name     string
	Required bool
	Detail   string
}
