// Package localpg owns a private Postgres server: it finds (or fetches) the
// server binaries, makes a data directory, starts a postmaster that only a Unix
// socket reaches, and stops it in order.
//
// `theeye dev` calls it so that one command is enough on a laptop, and
// internal/testing/pgtest calls it for tests. It never serves production, where the
// database is somebody else's to run.
//
// It promises to survive whatever came before: a data directory half made, a
// postmaster left running by a killed owner, a stale postmaster.pid, an unclean
// shutdown. It refuses a data directory that another live process owns.
//
// For tests of replication a Server makes a standby of itself, which can be promoted.
//
// Beside a data directory D it keeps D.lock (held while a Server owns D), D.log
// (what the postmaster says; D.log.old is the one before) and, only while a
// cluster is being made, D.init-*. The socket lives in a short private directory
// under the temporary directory because socket paths are limited to some hundred
// bytes.
package localpg
