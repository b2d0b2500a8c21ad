// Package pgtest gives each test a Postgres database of its own. Only tests
// import it.
//
// A package's TestMain calls Main; its tests call New, which clones a database
// from a template migrated once per process, on one server per process that
// starts with the first New. Tests that kill, freeze or restart a server call
// Dedicated, and those of replication and failover NewPair. A machine without Postgres fails the tests: a skipped promise is a
// broken one.
//
// Set EYE_PGTEST_KEEP=1 to keep the server running after a failure, so that the
// failed test's database can be looked at. EYE_PGTEST_BIN names the folder of the
// server's programs, for tests on another version; then nothing else is tried.
package pgtest
