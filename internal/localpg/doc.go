// Package localpg owns a private Postgres server: it finds (or fetches) the
// server binaries, creates a data directory, starts a postmaster that listens only on a
// Unix socket, and shuts it down cleanly.
//
// `theeye dev` calls it so that one command is enough on a laptop, and
// internal/testing/pgtest calls it for tests. It never serves production, where operators
// run the database.
//
// It promises to recover from any earlier state: an unfinished data directory, a
// postmaster left running by a killed owner, a stale postmaster.pid, an unclean
// shutdown. It rejects a data directory that another live process owns.
//
// For tests of replication a Server creates a standby of itself, which can be promoted.
//
// Beside a data directory D it keeps D.lock (held while a Server owns D), D.log
// (the log of the postmaster; D.log.old is the previous one) and, only while a
// cluster is being created, D.init-*. The socket is in a private directory with a short
// path below the temporary directory, because socket paths are limited to about a
// hundred bytes.
package localpg
