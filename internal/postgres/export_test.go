package postgres

import "github.com/jackc/pgx/v5/pgxpool"

// SpanSQL is the statement that finds the oldest and the newest event.
const SpanSQL = spanSQL

// ReadPool is the pool of the read connections, for tests that hold them.
func (db *DB) ReadPool() *pgxpool.Pool { return db.read }
