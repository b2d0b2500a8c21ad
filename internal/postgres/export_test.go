package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// SpanSQL is the statement that finds the oldest and the newest event.
const SpanSQL = spanSQL

// ReadPool is the pool of the read connections, for tests that hold them.
func (db *DB) ReadPool() *pgxpool.Pool { return db.read }

// ReadSetting returns a setting of a read connection.
func (db *DB) ReadSetting(ctx context.Context, name string) (text string, err error) {
	err = db.read.QueryRow(ctx, "select current_setting($1)", name).Scan(&text)
	return text, err
}

// PurgeOnce deletes some events from a table that was set aside.
func PurgeOnce(ctx context.Context, s *RetentionStore, table string, before time.Time) (int64, error) {
	return s.purgeTable(ctx, table, before)
}

// WatermarkSQL is the statement that finds how far changes can be read.
const WatermarkSQL = watermarkSQL

// Translate gives an error of the database its meaning.
func Translate(err error) error { return translateError(err, "do it") }
