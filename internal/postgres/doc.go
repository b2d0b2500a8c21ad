// Package postgres owns every statement that is sent to the database. It
// implements the stores of the use cases; transactions never leave it.
//
// Statements are constants and say which index they use and which locks they take. Locks are
// taken in the orders that ARCHITECTURE.md lists (Lock order); no two transactions can wait
// for each other. Changes of applications and keys lock application, api_key, and
// access_version last. Errors of the database are translated here, by SQLSTATE and constraint
// name; by text only for the durability probe, for poolers, and for roles that another
// transaction changes.
//
// Nothing depends on the state of a database session, so that the service can
// run behind PgBouncer in transaction mode (Config.Pooled).
package postgres
