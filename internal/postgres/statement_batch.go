package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// namedStatement is SQL that is sent with every group, and prepared once on a connection unless
// a pooler is in between. The types of its parameters follow from the SQL.
type namedStatement struct {
	name string
	sql  string
}

// statementBatch holds statements that are sent in one round trip. They are one transaction,
// unless there are transaction statements among them. Parameters and results are in binary form,
// which avoids the driver's reflection for each value.
type statementBatch struct {
	statements []batchedStatement
}

type batchedStatement struct {
	namedStatement

	params [][]byte
	read   func(pgx.Rows) error
}

func newStatementBatch() *statementBatch {
	const most = 4 // begin, a lock timeout, and two more

	return &statementBatch{statements: make([]batchedStatement, 0, most)}
}

// queue adds a statement. read reads the rows that it returns; nil if it returns none.
func (b *statementBatch) queue(s namedStatement, read func(pgx.Rows) error, params ...[]byte) {
	b.statements = append(b.statements, batchedStatement{namedStatement: s, params: params, read: read})
}

// send sends the statements and reads their results. It does nothing without statements.
func (b *statementBatch) send(ctx context.Context, conn *pgx.Conn, pooled bool) error {
	if len(b.statements) == 0 {
		return nil
	}

	binaryForm := []int16{pgx.BinaryFormatCode}
	var batch pgconn.Batch
	for _, s := range b.statements {
		if pooled {
			batch.ExecParams(s.sql, s.params, nil, binaryForm, binaryForm)
			continue
		}

		prepared, err := conn.Prepare(ctx, s.name, s.sql) // cached from the second time on
		if err != nil {
			return err
		}

		batch.ExecStatement(prepared, s.params, binaryForm, binaryForm)
	}

	var unread error
	results := conn.PgConn().ExecBatch(ctx, &batch)
	for n := 0; results.NextResult(); n++ {
		read := b.statements[n].read
		if read == nil {
			continue
		}

		rows := pgx.RowsFromResultReader(conn.TypeMap(), results.ResultReader()) //nolint:rowserrcheck // results.Close returns it
		unread = errors.Join(unread, read(rows))
		rows.Close()
	}

	if err := results.Close(); err != nil {
		return err
	}

	return unread
}
