package postgres

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/audit"
)

// recordSQL writes to audit_entry_pkey and takes no other lock.
const recordSQL = `
insert into audit_entry (audit_entry_id, actor, application, request_id, action, target, detail)
values ($1, $2, nullif($3, ''), nullif($4, ''), $5, $6, $7::jsonb)`

// record notes a change in its own transaction: who made it is in ctx. detail is
// rendered as a JSON object; nil is an empty one.
func record(ctx context.Context, tx pgx.Tx, action audit.Action, target string, detail any) error {
	text := []byte("{}")
	if detail != nil {
		var err error
		if text, err = json.Marshal(detail); err != nil {
			return err
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	actor := audit.ActorOf(ctx)
	_, err = tx.Exec(ctx, recordSQL, id, actor.Name, actor.Application, actor.RequestID, string(action), target, string(text))
	return err
}
