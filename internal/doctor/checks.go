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
			"Check that Postgres runs, that database.url points to it, and that the firewall and pg_hba.conf allow this host.", (*facts).checkReachable,
		},
		{
			"database.pooler", needsNothing, "A pooler in between works with the service: it supports transactions and accepts startup parameters, or `database.pooler` is transaction",
			"Set pool_mode = transaction in PgBouncer and database.pooler to transaction (THEEYE_DATABASE_POOLER), and set the timeouts of the role (database.timeouts); or connect to the server directly.", (*facts).checkPooler,
		},
		{
			"database.version", needsDatabase, "Postgres has version 14 to 18",
			"Upgrade to a supported version.", (*facts).checkVersion,
		},
		{
			"database.writable", needsDatabase, "The server is not a standby, and transactions of the role may write",
			"Point database.url to the primary (several hosts with target_session_attrs=read-write find it), and turn default_transaction_read_only off.", (*facts).checkWritable,
		},
		{
			"database.encoding", needsDatabase, "Database and session use the encoding UTF8: others reject or change texts",
			"Create a database with `create database NAME encoding 'UTF8' locale 'C' template template0`, and point database.url to it; the encoding of an existing database cannot be changed.", (*facts).checkEncoding,
		},
		{
			"database.schema", needsDatabase, "Every migration of this build was applied; a newer schema is fine",
			"Run `theeye migrate up`. If it was run already: the role needs usage on the schema, and search_path must include it.", (*facts).checkSchema,
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
			"database.synchronous_commit", needsDatabase, "synchronous_commit is on for the service's role, and not off for another role or database: without it a crash loses events acknowledged just before",
			"Set synchronous_commit = on where it was turned off: postgresql.conf, or `alter role` and `alter database`; then restart the service, because sessions keep the value they started with.", (*facts).checkSynchronousCommit,
		},
		{
			"database.standbys", needsDatabase, "Whether a commit waits for a standby (synchronous_standby_names); for information: without one, a failover can lose commits",
			"", (*facts).checkStandbys,
		},
		{
			"database.connections", needsDatabase, "The connections of all replicas (`--replicas`), and those in use by others, fit into the limits of the server, the database and the role",
			"Raise max_connections (or the limit of the role or the database), lower database.write_connections and database.read_connections, or use a pooler.", (*facts).checkConnections,
		},
		{
			"database.timeouts", needsDatabase, "No timeout of the role or the database ends the service's statements or idle connections; behind a pooler: there are timeouts",
			"Change them with `alter role ... set`: idle_session_timeout and transaction_timeout to 0; behind a pooler statement_timeout and lock_timeout to database.read_timeout.", (*facts).checkTimeouts,
		},
		{
			"database.autovacuum", needsDatabase, "autovacuum and track_counts are on, and not turned off for a table",
			"Set autovacuum = on and track_counts = on, and `alter table ... reset (autovacuum_enabled)`: without autovacuum tables grow and transaction ids run out.", (*facts).checkAutovacuum,
		},
		{
			"database.memory", needsDatabase, "shared_buffers and max_wal_size are larger than the defaults of Postgres, which are slow at high rates",
			"For high rates set shared_buffers to about a quarter of the memory (needs a restart) and max_wal_size to 4GB or more. For low rates the defaults are enough.", (*facts).checkMemory,
		},
		{
			"database.track_io_timing", needsDatabase, "Whether the server measures the time of reads and writes; for information",
			"", (*facts).checkIOTiming,
		},
	}
}

func schemaChecks() []check {
	return []check{
		{
			"schema.indexes", needsSchema, "Every index of the migrations exists and is valid, on each partition, too",
			"Build it again from its definition in migrations/ of the source. On event and rejection, which are partitioned: `create index NAME on only TABLE (...)` unless it exists, `create index concurrently` on each partition, then `alter index NAME attach partition` for each. On other tables: `create index concurrently`. For an invalid one: `reindex index concurrently`. Before building a unique index, look for duplicate rows.", (*facts).checkIndexes,
		},
		{
			"schema.constraints", needsSchema, "Every constraint of the migrations exists and is valid, on each partition, too",
			"Add it again from its definition in migrations/ as `not valid`, then `alter table ... validate constraint`, which reports the rows that violate it.", (*facts).checkConstraints,
		},
		{
			"schema.invalid_indexes", needsSchema, "No invalid index is left from an interrupted build: it slows down writes and is never used",
			"Drop it with `drop index concurrently`, unless it is being built right now (pg_stat_progress_create_index).", (*facts).checkInvalidIndexes,
		},
		{
			"schema.partitions", needsSchema, "event and rejection have partitions for this month and the next two, without a gap",
			"The log of the service says why partitions could not be made ahead. The role must own event and rejection. A restart of the service makes the partitions.", (*facts).checkPartitions,
		},
		{
			"schema.detached_partitions", needsSchema, "No partition is half detached, and no partition detached by retention is left",
			"While retention runs this is normal: check again later. A half detached partition that stays was detached by hand, and prevents retention from detaching others: finish it with `alter table ... detach partition ... finalize`. A partition that retention detached and does not drop is no longer expired, because retention was raised: attach it again under its old name, or rename it.", (*facts).checkDetached,
		},
		{
			"schema.unattached_tables", needsSchema, "No table has the name of a partition without being one, for example after it was detached or restored by hand: retention never drops it",
			"Attach it again (`alter table event attach partition NAME for values from (...) to (...)`, under the name of its month), or rename it. Until then its ids stay in event_key, and its events are counted in session.", (*facts).checkUnattached,
		},
		{
			"schema.additions", needsSchema, "Tables and partitions have no trigger, rule, row security policy, constraint or unique index beyond those of the migrations, and no foreign key of another table refers to them",
			"Drop it, or disable the trigger, unless it never rejects a row: the service can neither store nor explain a row that it rejects, and senders get an error that is not theirs. Copy events with `GET /v1/events/changes` instead.", (*facts).checkAdditions,
		},
		{
			"schema.foreign_partitions", needsSchema, "There is no default partition, and every partition was made by the service",
			"Detach the default partition after moving its rows: because of it, partitions cannot be detached without blocking, or made where it has rows. Other partitions are never dropped by retention.", (*facts).checkForeignPartitions,
		},
	}
}

func upkeepChecks() []check {
	return []check{
		{
			"upkeep.dead_rows", needsSchema, "Dead rows are less than 30 % of each table that has more than 10,000 of them",
			"Find out what blocks vacuum (upkeep.transactions, upkeep.replication_slots), then `vacuum (verbose)` the table. If it happens again, lower autovacuum_vacuum_scale_factor of the table.", (*facts).checkDeadRows,
		},
		{
			"upkeep.hot_updates", needsSchema, "Updates of session stay in their page (HOT): fillfactor is set, no index has a column that changes with every event, and at least half of the updates were HOT",
			"`alter table session set (fillfactor = 70)`, drop indexes on last_sequence, event_count, last_event_at or application_ids, and make sure that vacuum works; `vacuum full session` in a quiet hour frees the space.", (*facts).checkHotUpdates,
		},
		{
			"upkeep.transaction_ids", needsDatabase, "No table is older than autovacuum_freeze_max_age, in transaction ids and in multixact ids; failed past 1.6 billion",
			"Find out what blocks vacuum (upkeep.transactions, upkeep.replication_slots), then run `vacuum (freeze, verbose)` on the table, or vacuumdb --freeze on the database, before Postgres stops accepting writes.", (*facts).checkTransactionIDs,
		},
		{
			"upkeep.transactions", needsDatabase, "No transaction, prepared or not, is open for more than 5 minutes: it blocks vacuum and holds locks",
			"Find its owner; end it with `select pg_terminate_backend(pid)`, or a prepared one with `rollback prepared`. idle_in_transaction_session_timeout of the analysts' role prevents such transactions.", (*facts).checkTransactions,
		},
		{
			"upkeep.locks", needsDatabase, "No session has waited for a lock for more than a second",
			"Look at the blocking session in pg_stat_activity; end it with `select pg_terminate_backend(pid)` if it should not run.", (*facts).checkLockWaits,
		},
		{
			"upkeep.replication_slots", needsDatabase, "No replication slot without a reader retains more than 1 GiB of WAL",
			"Restart its reader, or drop it with `select pg_drop_replication_slot(name)`; max_slot_wal_keep_size limits what a slot retains.", (*facts).checkReplicationSlots,
		},
		{
			"disk.size", needsDatabase, "The size of the database and its tables; with `database.capacity` set, less than 80 % of it is used; failed past 95 %",
			"Enlarge the disk and set database.capacity, or set retention.events to drop old events.", (*facts).checkSizes,
		},
	}
}

func accessChecks() []check {
	return []check{
		{
			"privileges.needed", needsSchema, "The role may read and write every table; it owns the partitioned ones and may create tables in their schema, or may call the functions that do so",
			"Run `theeye migrate roles --service ROLE` as the role that ran the migrations; or let that role run the service.", (*facts).checkPrivileges,
		},
		{
			"privileges.create", needsSchema, "Only superusers and the owners of the tables, the schema and the database may create objects in the schemas of search_path, or create schemas: a function there that matches better than one of Postgres would run in its place, with the rights of the service. Failed if other roles have rights on the tables. The owner of the tables needs the right, because its functions make partitions",
			"Revoke the right from other roles; `theeye migrate roles` does so where it may.", (*facts).checkCreators,
		},
		{
			"privileges.foreign_objects", needsSchema, "No function, operator or table of such a role is in the schemas of search_path; failed if the service uses its name",
			"Find out what it does and who created it; then drop it, or move it to another schema. If Postgres or the service uses the same name, treat it as an attempt to gain the rights of the owner until you know otherwise.", (*facts).checkUntrustedObjects,
		},
		{
			"privileges.superuser", needsDatabase, "The role is not a superuser",
			"Give the service its own role that owns the tables and nothing more: its password then opens only the events, not the server.", (*facts).checkSuperuser,
		},
	}
}

func clockChecks() []check {
	return []check{
		{
			"clock.database", needsDatabase, "The clocks of this machine and the database differ by less than a second; failed from `limits.max_ahead` on",
			"Run a time service (chrony, systemd-timesyncd) on both machines.", (*facts).checkDatabaseClock,
		},
		{
			"clock.service", needsService, "The clocks of this machine and the service (Date header) differ by less than a second; failed from `limits.max_ahead` on",
			"Run a time service on both machines: timestamps are checked against the service's clock, and a slow one rejects senders with a correct clock.", (*facts).checkServiceClock,
		},
	}
}

func serviceChecks() []check {
	return []check{
		{
			"service.answers", needsNothing, "GET /v1/limits is answered by The Eye, within a second",
			"Check that the service runs, and that the URL and the proxies lead to it.", (*facts).checkAnswers,
		},
		{
			"service.certificate", needsNothing, "Over https, the certificate is trusted and valid for 14 more days",
			"Renew the certificate where TLS is terminated, with all intermediate certificates.", (*facts).checkCertificate,
		},
		{
			"service.request_id", needsService, "The header X-Request-Id arrives; it identifies a request in the log",
			"Configure the proxy to pass X-Request-Id.", (*facts).checkRequestID,
		},
		{
			"service.ops_hidden", needsService, "The paths of the ops port, such as /metrics, /readyz, /debug/config and /debug/pprof/, do not exist at the public URL",
			"Let the proxy forward to http.listen only; bind ops.listen to an address that only the platform can reach.", (*facts).checkOpsHidden,
		},
	}
}

func opsChecks() []check {
	return []check{
		{
			"ops.live", needsNothing, "/livez of the ops port answers",
			"Check that the service runs, and that --ops-url leads to ops.listen.", (*facts).checkLive,
		},
		{
			"ops.ready", needsOps, "/readyz?verbose: the service is ready, and each of its checks succeeds",
			"The check names the problem; the log of the service has the cause.", (*facts).checkReady,
		},
		{
			"ops.pprof", needsOps, "Go's profiles are not served",
			"Turn ops.pprof off when it is not needed: with it, anyone who reaches the port can slow the service down and see its memory.", (*facts).checkProfiles,
		},
		{
			"ops.version", needsOps, "The service runs this build, according to theeye_build_info in /metrics",
			"Run the doctor of the deployed version, or finish the deployment.", (*facts).checkBuild,
		},
	}
}
