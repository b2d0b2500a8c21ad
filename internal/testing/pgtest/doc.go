// Package pgtest gives each test its own Postgres database. Only tests import it.
//
// A package's TestMain calls Main; its tests call New, which clones a database
// from a template migrated once per process, on one server per process that
// starts with the first New. Tests that kill, freeze or restart a server call
// NewDedicated, and tests of replication and failover call NewPair. On a machine
// without Postgres the tests fail: a skipped test would hide a broken promise.
//
// Set EYE_PGTEST_KEEP=1 to keep the server running after a failure, so that the
// failed test's database can be examined. EYE_PGTEST_BIN names the folder of the
// server's programs, for tests on another version; then no other folder is tried.
package pgtest
