package doctor

import "slices"

// requirement is what a check cannot be made without.
type requirement int

const (
	needsNothing requirement = iota
	needsDatabase
	needsSchema
	needsService
	needsOps
)

// check is one question and how its answer is judged.
type check struct {
	// name is stable: programs may branch on it.
	name  string
	needs requirement
	// examines is what it looks at, for the documentation.
	examines string
	// remedy is what to do when it is not ok, unless the verdict knows better.
	remedy   string
	evaluate func(*facts) assessment
}

// allChecks is every check, in the order in which they are reported.
func allChecks() []check {
	return slices.Concat(serverChecks(), settingChecks(), schemaChecks(), upkeepChecks(), accessChecks(), clockChecks(), serviceChecks(), opsChecks())
}

func serverChecks() []check {
	return []check{
		{
			"database.reachable", needsNothing, "The database answers",
			"See that Postgres runs, that database.url names it, and that firewall and pg_hba.conf let this host in.", (*facts).checkReachable,
		},
		{
			"database.pooler", needsNothing, "A pooler that stands between lets the service work: it has transactions, and takes the settings that connections begin with, or `database.pooler` is transaction",
			"Set pool_mode = transaction in PgBouncer and database.pooler to transaction (THEEYE_DATABASE_POOLER), and the timeouts at the role (database.timeouts); or connect to the server itself.", (*facts).checkPooler,
		},
		{
			"database.version", needsDatabase, "Postgres is of version 14 to 18",
			"Move to a version that is supported.", (*facts).checkVersion,
		},
		{
			"database.writable", needsDatabase, "The server is no standby, and transactions of the role may write",
			"Let database.url name the primary (several hosts with target_session_attrs=read-write do that), and turn default_transaction_read_only off.", (*facts).checkWritable,
		},
		{
			"database.encoding", needsDatabase, "The encoding of the database is UTF8, and the session speaks it: others refuse or change texts",
			"Make a database by `create database NAME encoding 'UTF8' locale 'C' template template0`, and let database.url name it; the encoding of one that is there cannot be changed.", (*facts).checkEncoding,
		},
		{
			"database.schema", needsDatabase, "Every migration of this build was applied; a newer schema is fine",
			"Run `theeye migrate up`. If that was done: the role needs usage on the schema, and search_path has to lead to it.", (*facts).checkSchema,
		},
	}
}

func settingChecks() []check {
	return []check{
		{
			"database.fsync", needsDatabase, "fsync is on: without it a crash of the server can lose or corrupt acknowledged events",
			"Set fsync = on in postgresql.conf and reload.", checkSwitchOn("fsync"),
		},
		{
			"database.full_page_writes", needsDatabase, "full_page_writes is on: without it a power failure can corrupt acknowledged events",
			"Set full_page_writes = on in postgresql.conf and reload.", checkSwitchOn("full_page_writes"),
		},
		{
			"database.synchronous_commit", needsDatabase, "synchronous_commit is on for the service's role and is not turned off for another role or database: off, a crash loses events acknowledged just before it",
			"Set synchronous_commit = on where it was turned off: postgresql.conf, or `alter role` and `alter database`; then restart the service, whose sessions keep what they began with.", (*facts).checkSynchronousCommit,
		},
		{
			"database.standbys", needsDatabase, "Whether a commit waits for a standby (synchronous_standby_names); for information: without one, a failover can lose commits",
			"", (*facts).checkStandbys,
		},
		{
			"database.connections", needsDatabase, "The connections of all replicas, and what others use now, fit into what the server, the database and the role allow; `--replicas` says how many there are",
			"Raise max_connections (or the limit of the role or the database), lower database.write_connections and database.read_connections, or put a pooler in between.", (*facts).checkConnections,
		},
		{
			"database.timeouts", needsDatabase, "No timeout at the role or the database cuts the service's statements or idle connections; behind a pooler, that there are timeouts at all",
			"Change them with `alter role ... set`: idle_session_timeout and transaction_timeout to 0; behind a pooler statement_timeout and lock_timeout to database.read_timeout.", (*facts).checkTimeouts,
		},
		{
			"database.autovacuum", needsDatabase, "autovacuum and track_counts are on, and not turned off for a table",
			"Set autovacuum = on and track_counts = on, and `alter table ... reset (autovacuum_enabled)`: without it tables grow and transaction ids run out.", (*facts).checkAutovacuum,
		},
		{
			"database.memory", needsDatabase, "shared_buffers and max_wal_size are larger than Postgres' defaults, which cost speed at high rates",
			"For high rates set shared_buffers to about a quarter of the memory (it takes a restart) and max_wal_size to 4GB or more. At low rates the defaults do.", (*facts).checkMemory,
		},
		{
			"database.track_io_timing", needsDatabase, "Whether the server times its reads and writes; for information",
			"", (*facts).checkIOTiming,
		},
	}
}

func schemaChecks() []check {
	return []check{
		{
			"schema.indexes", needsSchema, "Every index of the migrations is there and valid, on each partition, too",
			"Build it again from its definition in migrations/ of the sources. On event and rejection, which are partitioned: `create index NAME on only TABLE (...)` unless that is there, `create index concurrently` on each partition, then `alter index NAME attach partition` for each; on the others `create index concurrently`; an invalid one with `reindex index concurrently`. Without a unique index, first look for double rows.", (*facts).checkIndexes,
		},
		{
			"schema.constraints", needsSchema, "Every constraint of the migrations is there and valid, on each partition, too",
			"Add it again from its definition in migrations/ as `not valid`, then `alter table ... validate constraint`, which names the rows that break it.", (*facts).checkConstraints,
		},
		{
			"schema.invalid_indexes", needsSchema, "No invalid index is left from a build that was cut off: it costs writes and serves nobody",
			"Drop it with `drop index concurrently`, unless it is being built right now (pg_stat_progress_create_index).", (*facts).checkInvalidIndexes,
		},
		{
			"schema.partitions", needsSchema, "event and rejection have partitions for this month and the next two, without a gap",
			"See in the log of the service why partitions could not be made ahead; a start of the service makes them, too. The role has to own event and rejection.", (*facts).checkPartitions,
		},
		{
			"schema.detached_partitions", needsSchema, "No partition is left half detached, and none that retention detached waits to be dropped",
			"While retention runs they are on their way out: look again later. A half detached one that stays was not begun by retention, and keeps it from detaching others: end that with `alter table ... detach partition ... finalize`. What retention detached and leaves is no longer expired, since it was told to keep more: attach it again under its old name, or rename it.", (*facts).checkDetached,
		},
		{
			"schema.unattached_tables", needsSchema, "No table has the name of a partition and is none, as one that a person detached or restored: retention never drops it",
			"Attach it again (`alter table event attach partition NAME for values from (...) to (...)`, under the name of its month), or rename it. Its ids stay in event_key and its events are counted in session as long as it is not attached.", (*facts).checkUnattached,
		},
		{
			"schema.additions", needsSchema, "Tables and partitions have no trigger, rule, row security policy, constraint or unique index that the migrations did not make, and no foreign key of another table leads to them",
			"Drop it, or disable the trigger, unless it never refuses a row: what it refuses, the service can neither store nor explain, and senders are told a fault that is not theirs. Copy events by `GET /v1/events/changes` instead.", (*facts).checkAdditions,
		},
		{
			"schema.foreign_partitions", needsSchema, "There is no default partition and none that the service did not make",
			"Detach the default partition after moving its rows: it keeps partitions from being detached without blocking, and from being made where it has rows. Others are never dropped by retention.", (*facts).checkForeignPartitions,
		},
	}
}

func upkeepChecks() []check {
	return []check{
		{
			"upkeep.dead_rows", needsSchema, "Dead rows are less than 30 % of a table that has more than 10,000 of them",
			"See what holds vacuum back (upkeep.transactions, upkeep.replication_slots), then `vacuum (verbose)` the table. If it comes again, lower autovacuum_vacuum_scale_factor for it.", (*facts).checkDeadRows,
		},
		{
			"upkeep.hot_updates", needsSchema, "Updates of session stay in their page (HOT): fillfactor is set, no index holds a column that changes with every event, and half of the updates at least were HOT",
			"`alter table session set (fillfactor = 70)`, drop indexes on last_sequence, event_count, last_event_at or application_ids, and see that vacuum gets through; `vacuum full session` in a quiet hour brings the room back.", (*facts).checkHotUpdates,
		},
		{
			"upkeep.transaction_ids", needsDatabase, "No table is older than autovacuum_freeze_max_age, in transaction ids and in multixact ids; past 1.6 billion it fails",
			"See what holds vacuum back (upkeep.transactions, upkeep.replication_slots), then `vacuum (freeze, verbose)` the table or, by vacuumdb --freeze, the database, before Postgres refuses to write.", (*facts).checkTransactionIDs,
		},
		{
			"upkeep.transactions", needsDatabase, "No transaction is open for more than 5 minutes, prepared ones included: they hold back vacuum, and locks",
			"Find whose it is; end it with `select pg_terminate_backend(pid)`, a prepared one with `rollback prepared`. idle_in_transaction_session_timeout at the role of analysts keeps them away.", (*facts).checkTransactions,
		},
		{
			"upkeep.locks", needsDatabase, "No session has waited for a lock for more than a second",
			"See what the blocking session does (pg_stat_activity); end it with `select pg_terminate_backend(pid)` if it is not to be.", (*facts).checkLockWaits,
		},
		{
			"upkeep.replication_slots", needsDatabase, "No replication slot without a reader keeps more than 1 GiB of the log",
			"Bring its reader back, or drop it with `select pg_drop_replication_slot(name)`; max_slot_wal_keep_size bounds what it may keep.", (*facts).checkReplicationSlots,
		},
		{
			"disk.size", needsDatabase, "How large the database and its tables are; with `database.capacity` set, that less than 80 % of it is used; past 95 % it fails",
			"Give the disk more room and set database.capacity, or set retention.events to drop what is old.", (*facts).checkSizes,
		},
	}
}

func accessChecks() []check {
	return []check{
		{
			"privileges.needed", needsSchema, "The role may read and write every table; it owns the partitioned ones and may make tables in their schema, or may call the functions that do it for it",
			"Run `theeye migrate roles --service ROLE` as the role that ran the migrations; or let that role run the service.", (*facts).checkPrivileges,
		},
		{
			"privileges.create", needsSchema, "Nobody but superusers and the owners of the tables, the schema and the database may create in the schemas of search_path, or schemas: a function there that fits better than that of Postgres would be run in its place, with the rights of the service; where other roles have rights on the tables, it fails. The owner of the tables may, for its functions make partitions",
			"Revoke it from them; `theeye migrate roles` does so where it may.", (*facts).checkCreators,
		},
		{
			"privileges.foreign_objects", needsSchema, "No function, operator or table of such a role is in the schemas of search_path; one whose name the service uses fails",
			"Look at what it does and who made it; then drop it, or move it to a schema of its own. If its name is one that Postgres or the service uses, take it for an attempt to become the owner of the tables until you know better.", (*facts).checkUntrustedObjects,
		},
		{
			"privileges.superuser", needsDatabase, "The role is no superuser",
			"Give the service a role of its own that owns the tables and nothing else: what gets hold of its password then holds the events only, not the server.", (*facts).checkSuperuser,
		},
	}
}

func clockChecks() []check {
	return []check{
		{
			"clock.database", needsDatabase, "This machine's clock and the database's differ by less than a second; by more than `limits.max_ahead` it fails",
			"Run a time service (chrony, systemd-timesyncd) on both machines.", (*facts).checkDatabaseClock,
		},
		{
			"clock.service", needsService, "This machine's clock and the service's differ by less than a second, as the Date header has it; by more than `limits.max_ahead` it fails",
			"Run a time service on both machines: events are judged by the service's clock, and senders with a right one are refused when it is slow.", (*facts).checkServiceClock,
		},
	}
}

func serviceChecks() []check {
	return []check{
		{
			"service.answers", needsNothing, "GET /v1/limits is answered by The Eye, within a second",
			"See that the service runs and that the URL and the proxies lead to it.", (*facts).checkAnswers,
		},
		{
			"service.certificate", needsNothing, "Over https, the certificate is trusted and good for 14 more days",
			"Renew the certificate where TLS ends, with all intermediate ones.", (*facts).checkCertificate,
		},
		{
			"service.request_id", needsService, "The header X-Request-Id arrives, by which a request is found in the log",
			"Let the proxy in front pass X-Request-Id.", (*facts).checkRequestID,
		},
		{
			"service.ops_hidden", needsService, "The second port's paths, such as /metrics, /readyz, /debug/config and /debug/pprof/, are not there at the public URL",
			"Let the proxy lead to http.listen only; bind ops.listen to an address that only the platform reaches.", (*facts).checkOpsHidden,
		},
	}
}

func opsChecks() []check {
	return []check{
		{
			"ops.live", needsNothing, "/livez of the second port answers",
			"See that the service runs and that --ops-url leads to ops.listen.", (*facts).checkLive,
		},
		{
			"ops.ready", needsOps, "/readyz?verbose: the service is ready, and each of its checks succeeds",
			"The check says what is missing; the log of the service says why.", (*facts).checkReady,
		},
		{
			"ops.pprof", needsOps, "Go's profiles are not served",
			"Turn ops.pprof off when it is not needed: who reaches the port can slow the service down and see what it holds in memory.", (*facts).checkProfiles,
		},
		{
			"ops.version", needsOps, "The service is of this build, as theeye_build_info in /metrics has it",
			"Run the doctor of the version that is deployed, or finish the deployment.", (*facts).checkBuild,
		},
	}
}
