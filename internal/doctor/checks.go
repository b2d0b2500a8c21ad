package doctor

import "slices"

// requirement is the part of the deployment that a check needs.
type requirement int

const (
	needsNothing requirement = iota
	needsDatabase
	needsSchema
	needsService
	needsOps
)

// check is one check of the doctor.
type check struct {
	// name is stable: programs may depend on it.
	name  string
	needs requirement
	// examines describes a good result, for the documentation.
	examines string
	// remedy is the advice when the result is not ok, unless the assessment has its own.
	remedy   string
	evaluate func(*facts) assessment
}

// allChecks returns every check, in the order of the report.
func allChecks() []check {
	return slices.Concat(
		serverChecks(),
		durabilityChecks(),
		settingChecks(),
		schemaChecks(),
		upkeepChecks(),
		accessChecks(),
		publicKeyChecks(),
		clockChecks(),
		serviceChecks(),
		opsChecks(),
	)
}

func serverChecks() []check {
	return []check{
		{
			name:     "database.reachable",
			needs:    needsNothing,
			examines: "The database answers",
			remedy:   "Check that Postgres runs, that database.url names it, and that the firewall and pg_hba.conf admit this host.",
			evaluate: (*facts).checkReachable,
		},
		{
			name:     "database.pooler",
			needs:    needsNothing,
			examines: "A pooler in between, if there is one, supports transactions, and either accepts the startup parameters of the service's connections or `database.pooler` is transaction",
			remedy:   "Set pool_mode = transaction in PgBouncer and database.pooler to transaction (THEEYE_DATABASE_POOLER), and set the timeouts on the role (database.timeouts); or connect to the server directly.",
			evaluate: (*facts).checkPooler,
		},
		{
			name:     "database.version",
			needs:    needsDatabase,
			examines: "The version of Postgres is 14 to 18",
			remedy:   "Upgrade to a supported version.",
			evaluate: (*facts).checkVersion,
		},
		{
			name:     "database.writable",
			needs:    needsDatabase,
			examines: "The server is a primary, and transactions of the role may write",
			remedy:   "Make database.url name the primary (for example several hosts with target_session_attrs=read-write), and turn default_transaction_read_only off.",
			evaluate: (*facts).checkWritable,
		},
		{
			name:     "database.encoding",
			needs:    needsDatabase,
			examines: "The encoding of the database and of the session is UTF8: other encodings reject or change texts",
			remedy:   "Create a database with `create database NAME encoding 'UTF8' locale 'C' template template0`, and make database.url name it; the encoding of an existing database cannot be changed.",
			evaluate: (*facts).checkEncoding,
		},
		{
			name:     "database.schema",
			needs:    needsDatabase,
			examines: "Every migration of this build is applied; a newer schema is fine",
			remedy:   "Run `theeye migrate up`. If the migrations are applied already, grant the role usage on the schema, and check that search_path contains it.",
			evaluate: (*facts).checkSchema,
		},
	}
}

func durabilityChecks() []check {
	return []check{
		{
			name:     "database.fsync",
			needs:    needsDatabase,
			examines: "fsync is on: without it a crash of the server can lose or corrupt acknowledged events",
			remedy:   "Set fsync = on in postgresql.conf and reload.",
			evaluate: checkSwitchOn("fsync"),
		},
		{
			name:     "database.full_page_writes",
			needs:    needsDatabase,
			examines: "full_page_writes is on: without it a power failure can corrupt acknowledged events",
			remedy:   "Set full_page_writes = on in postgresql.conf and reload.",
			evaluate: checkSwitchOn("full_page_writes"),
		},
		{
			name:     "database.synchronous_commit",
			needs:    needsDatabase,
			examines: "synchronous_commit is on for the service's role, and not turned off for another role or database: without it, a crash loses the events acknowledged just before",
			remedy:   "Set synchronous_commit = on where it was turned off: postgresql.conf, or `alter role` and `alter database`; then restart the service, because open sessions keep the old value.",
			evaluate: (*facts).checkSynchronousCommit,
		},
		{
			name:     "database.standbys",
			needs:    needsDatabase,
			examines: "Whether a commit waits for a standby (synchronous_standby_names); for information: without a synchronous standby, a failover can lose commits",
			evaluate: (*facts).checkStandbys,
		},
	}
}

func settingChecks() []check {
	return []check{
		{
			name:     "database.connections",
			needs:    needsDatabase,
			examines: "The connections of all replicas, and those of other clients now, fit within the limits of the server, the database and the role; `--replicas` gives the number of replicas",
			remedy:   "Raise max_connections (or the limit of the role or the database), lower database.write_connections and database.read_connections, or use a pooler.",
			evaluate: (*facts).checkConnections,
		},
		{
			name:     "database.timeouts",
			needs:    needsDatabase,
			examines: "No timeout of the role or the database cuts off the service's statements or idle connections; behind a pooler, whether the role has timeouts at all",
			remedy:   "Change them with `alter role ... set`: idle_session_timeout and transaction_timeout to 0; behind a pooler statement_timeout and lock_timeout to database.read_timeout.",
			evaluate: (*facts).checkTimeouts,
		},
		{
			name:     "database.autovacuum",
			needs:    needsDatabase,
			examines: "autovacuum and track_counts are on, and not turned off for a table",
			remedy:   "Set autovacuum = on and track_counts = on, and `alter table ... reset (autovacuum_enabled)`: without it tables grow and transaction ids run out.",
			evaluate: (*facts).checkAutovacuum,
		},
		{
			name:     "database.memory",
			needs:    needsDatabase,
			examines: "shared_buffers and max_wal_size are larger than Postgres' defaults, which cost speed at high rates",
			remedy:   "For high rates set shared_buffers to about a quarter of the memory (this needs a restart) and max_wal_size to 4GB or more. At low rates the defaults are enough.",
			evaluate: (*facts).checkMemory,
		},
		{
			name:     "database.track_io_timing",
			needs:    needsDatabase,
			examines: "Whether the server measures the time of its reads and writes; for information",
			evaluate: (*facts).checkIOTiming,
		},
	}
}

func schemaChecks() []check {
	return []check{
		{
			name:     "schema.indexes",
			needs:    needsSchema,
			examines: "Every index of the migrations exists and is valid, also on each partition",
			remedy:   "Build the index again from its definition in migrations/ of the sources. On event and rejection, which are partitioned: `create index NAME on only TABLE (...)` unless it exists, `create index concurrently` on each partition, then `alter index NAME attach partition` for each; on other tables `create index concurrently`; an invalid index with `reindex index concurrently`. If a unique index is missing, look for duplicate rows first.",
			evaluate: (*facts).checkIndexes,
		},
		{
			name:     "schema.constraints",
			needs:    needsSchema,
			examines: "Every constraint of the migrations exists and is valid, also on each partition",
			remedy:   "Add the constraint again from its definition in migrations/ as `not valid`, then run `alter table ... validate constraint`, which names the rows that violate it.",
			evaluate: (*facts).checkConstraints,
		},
		{
			name:     "schema.invalid_indexes",
			needs:    needsSchema,
			examines: "No invalid index is left from an interrupted build: it slows writes down and no query uses it",
			remedy:   "Drop it with `drop index concurrently`, unless its build is still running (pg_stat_progress_create_index).",
			evaluate: (*facts).checkInvalidIndexes,
		},
		{
			name:     "schema.partitions",
			needs:    needsSchema,
			examines: "event and rejection have partitions for this month and the next two, without a gap",
			remedy:   "Look in the log of the service for the reason why partitions could not be created ahead; a restart of the service creates them too. The role must own event and rejection.",
			evaluate: (*facts).checkPartitions,
		},
		{
			name:     "schema.detached_partitions",
			needs:    needsSchema,
			examines: "No partition is half detached, and no partition that retention detached is waiting to be dropped",
			remedy:   "While retention runs, such partitions are about to be dropped: check again later. A partition that stays half detached was not detached by retention, and blocks it: finish with `alter table ... detach partition ... finalize`. A detached partition that retention leaves is no longer expired, because the retention time was raised: attach it again under its old name, or rename it.",
			evaluate: (*facts).checkDetached,
		},
		{
			name:     "schema.unattached_tables",
			needs:    needsSchema,
			examines: "No table has the name of a partition without being one, for example after an operator detached or restored it: retention never drops such a table",
			remedy:   "Attach it again (`alter table event attach partition NAME for values from (...) to (...)`, under the name of its month), or rename it. While it is detached, its ids stay in event_key and session still counts its events.",
			evaluate: (*facts).checkUnattached,
		},
		{
			name:     "schema.additions",
			needs:    needsSchema,
			examines: "Tables and partitions have no trigger, rule, row security policy, constraint or unique index that the migrations did not create, and no foreign key of another table references them",
			remedy:   "Drop the addition, or disable the trigger, unless it never rejects a row: the service can neither store nor explain an event that Postgres rejects, and senders get an error that is not their fault. To copy events, use `GET /v1/events/changes` instead.",
			evaluate: (*facts).checkAdditions,
		},
		{
			name:     "schema.foreign_partitions",
			needs:    needsSchema,
			examines: "There is no default partition, and the service created every partition",
			remedy:   "Detach the default partition after moving its rows: with it, other partitions cannot be detached without blocking, nor created for months of which it has rows. Partitions that the service did not create are never dropped by retention.",
			evaluate: (*facts).checkForeignPartitions,
		},
	}
}

func upkeepChecks() []check {
	return []check{
		{
			name:     "upkeep.dead_rows",
			needs:    needsSchema,
			examines: "Dead rows are less than 30 % of a table that has more than 10,000 of them",
			remedy:   "Find out what holds vacuum back (upkeep.transactions, upkeep.replication_slots), then run `vacuum (verbose)` on the table. If the dead rows come back, lower autovacuum_vacuum_scale_factor for the table.",
			evaluate: (*facts).checkDeadRows,
		},
		{
			name:     "upkeep.hot_updates",
			needs:    needsSchema,
			examines: "Updates of session stay in their page (HOT): fillfactor is set, no index holds a column that changes with every event, and at least half of the updates were HOT",
			remedy:   "`alter table session set (fillfactor = 70)`, drop indexes on last_sequence, event_count, last_event_at or application_ids, and check that vacuum finishes; `vacuum full session` at a quiet time frees the space.",
			evaluate: (*facts).checkHotUpdates,
		},
		{
			name:     "upkeep.transaction_ids",
			needs:    needsDatabase,
			examines: "No table is older than autovacuum_freeze_max_age, in transaction ids and in multixact ids; past 1.6 billion the check fails",
			remedy:   "Find out what holds vacuum back (upkeep.transactions, upkeep.replication_slots), then run `vacuum (freeze, verbose)` on the table, or vacuumdb --freeze on the database, before Postgres refuses to write.",
			evaluate: (*facts).checkTransactionIDs,
		},
		{
			name:     "upkeep.transactions",
			needs:    needsDatabase,
			examines: "No transaction is open for more than 5 minutes, prepared ones included: it holds vacuum back and keeps its locks",
			remedy:   "Find its client; end it with `select pg_terminate_backend(pid)`, or a prepared one with `rollback prepared`. To prevent it, set idle_in_transaction_session_timeout on the role of analysts.",
			evaluate: (*facts).checkTransactions,
		},
		{
			name:     "upkeep.locks",
			needs:    needsDatabase,
			examines: "No session has waited for a lock for more than a second",
			remedy:   "Look at the blocking session (pg_stat_activity); end it with `select pg_terminate_backend(pid)` if it should not run.",
			evaluate: (*facts).checkLockWaits,
		},
		{
			name:     "upkeep.replication_slots",
			needs:    needsDatabase,
			examines: "No replication slot without a reader retains more than 1 GiB of the write-ahead log",
			remedy:   "Start its reader again, or drop the slot with `select pg_drop_replication_slot(name)`; max_slot_wal_keep_size limits the retained log.",
			evaluate: (*facts).checkReplicationSlots,
		},
		{
			name:     "disk.size",
			needs:    needsDatabase,
			examines: "The size of the database and its tables; with `database.capacity` set, whether less than 80 % of it is used; past 95 % the check fails",
			remedy:   "Enlarge the disk and set database.capacity, or set retention.events to drop old events.",
			evaluate: (*facts).checkSizes,
		},
	}
}

func accessChecks() []check {
	return []check{
		{
			name:     "privileges.needed",
			needs:    needsSchema,
			examines: "The role may read and write every table; it owns the partitioned tables and may create tables in their schema, or may call the functions that create and drop partitions",
			remedy:   "Run `theeye migrate roles --service ROLE` as the role that ran the migrations; or run the service as that role.",
			evaluate: (*facts).checkPrivileges,
		},
		{
			name:     "privileges.create",
			needs:    needsSchema,
			examines: "Only superusers and the owners of the tables, the schema and the database may create objects in the schemas of search_path, or create schemas: a function there could run in place of Postgres' own, with the rights of the service. The check fails if other roles have rights on the tables, or if the owner of the tables may not create: its functions create partitions",
			remedy:   "Revoke the right from the other roles; `theeye migrate roles` does so where it may.",
			evaluate: (*facts).checkCreators,
		},
		{
			name:     "privileges.foreign_objects",
			needs:    needsSchema,
			examines: "No function, operator or table of another role is in the schemas of search_path; the check fails for an object whose name the service uses",
			remedy:   "Find out what the object does and who created it; then drop it, or move it to another schema. If Postgres or the service uses its name, treat it as an attempt to become the owner of the tables until you know better.",
			evaluate: (*facts).checkUntrustedObjects,
		},
		{
			name:     "privileges.superuser",
			needs:    needsDatabase,
			examines: "The role is not a superuser",
			remedy:   "Give the service its own role, which owns the tables and nothing else: a leaked password then exposes only the events, not the server.",
			evaluate: (*facts).checkSuperuser,
		},
	}
}

func clockChecks() []check {
	return []check{
		{
			name:     "clock.database",
			needs:    needsDatabase,
			examines: "The clocks of this machine and the database differ by less than a second; past `limits.max_ahead` the check fails",
			remedy:   "Run a time service (chrony, systemd-timesyncd) on both machines.",
			evaluate: (*facts).checkDatabaseClock,
		},
		{
			name:     "clock.service",
			needs:    needsService,
			examines: "The clocks of this machine and the service (by its Date header) differ by less than a second; past `limits.max_ahead` the check fails",
			remedy:   "Run a time service on both machines: the service checks timestamps against its own clock, and when that is slow, it rejects events of senders whose clocks are right.",
			evaluate: (*facts).checkServiceClock,
		},
	}
}

func serviceChecks() []check {
	return []check{
		{
			name:     "service.answers",
			needs:    needsNothing,
			examines: "The Eye answers GET /v1/limits within a second",
			remedy:   "Check that the service runs and that the URL and the proxies lead to it.",
			evaluate: (*facts).checkAnswers,
		},
		{
			name:     "service.certificate",
			needs:    needsNothing,
			examines: "Over https, the certificate is trusted and valid for 14 more days",
			remedy:   "Renew the certificate where TLS ends, with all intermediate certificates.",
			evaluate: (*facts).checkCertificate,
		},
		{
			name:     "service.request_id",
			needs:    needsService,
			examines: "Answers have the header X-Request-Id, by which a request is found in the log",
			remedy:   "Configure the proxy in front to pass X-Request-Id.",
			evaluate: (*facts).checkRequestID,
		},
		{
			name:     "service.ops_hidden",
			needs:    needsService,
			examines: "The paths of the ops port, such as /metrics, /readyz, /debug/config and /debug/pprof/, are not reachable at the public URL",
			remedy:   "Configure the proxy to forward to http.listen only; bind ops.listen to an address that only the platform can reach.",
			evaluate: (*facts).checkOpsHidden,
		},
	}
}

func opsChecks() []check {
	return []check{
		{
			name:     "ops.live",
			needs:    needsNothing,
			examines: "/livez of the ops port answers",
			remedy:   "Check that the service runs and that --ops-url leads to ops.listen.",
			evaluate: (*facts).checkLive,
		},
		{
			name:     "ops.ready",
			needs:    needsOps,
			examines: "/readyz?verbose: the service is ready, and each of its checks succeeds",
			remedy:   "The finding names the failed check; the log of the service gives the reason.",
			evaluate: (*facts).checkReady,
		},
		{
			name:     "ops.pprof",
			needs:    needsOps,
			examines: "Go's profiles are not served",
			remedy:   "Turn ops.pprof off when it is not needed: any client that reaches the port can slow the service down and read its memory.",
			evaluate: (*facts).checkProfiles,
		},
		{
			name:     "ops.version",
			needs:    needsOps,
			examines: "The service has the version of this program (theeye_build_info in /metrics)",
			remedy:   "Run the doctor of the deployed version, or finish the deployment.",
			evaluate: (*facts).checkBuild,
		},
	}
}
