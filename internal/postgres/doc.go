// Package postgres owns every statement that is sent to the database. It
// implements the stores of the use cases; transactions never leave it.
//
// Statements are constants and say which index they use and which locks they take. Locks are
// taken in one global order: event_key by id, session by id, event, rejection_count by
// application and hour. Changes of applications and keys take none of these: application,
// api_key, access_version last. Errors of the database are translated here, by SQLSTATE and
// constraint name, never by text.
//
// Nothing depends on the state of a database session, so that the service can
// run behind PgBouncer in transaction mode (Config.Pooled).
package postgres
