package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/query"
)

// recordSQL writes to audit_entry_pkey and takes no other lock.
const recordSQL = `
insert into audit_entry (audit_entry_id, actor, application, request_id, action, target, detail)
values ($1, $2, nullif($3, ''), nullif($4, ''), $5, $6, $7::jsonb)`

// recordAudit records a change in the transaction of the change; ctx holds the actor. detail is
// rendered as a JSON object; nil is an empty one.
func recordAudit(ctx context.Context, tx pgx.Tx, action audit.Action, target string, detail any) error {
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

// selectAuditSQL walks audit_entry_pkey backwards and takes no lock. The filters are applied on
// the way, since administrators make few changes.
const selectAuditSQL = `
select a.audit_entry_id, a."at", a.actor, coalesce(a.application, ''), coalesce(a.request_id, ''), a.action, a.target, a.detail
from audit_entry a`

const (
	auditActor  = "a.actor = ?"
	auditAction = "a.action = ?"
	auditTarget = "a.target = ?"
	auditFrom   = `a."at" >= ?`
	auditTo     = `a."at" < ?`
	auditBefore = `(a."at", a.audit_entry_id) < (?, ?)`
	auditOrder  = ` order by a."at" desc, a.audit_entry_id desc limit `
)

var _ query.AuditStore = (*QueryStore)(nil)

// AuditEntries implements query.AuditStore.
func (s *QueryStore) AuditEntries(ctx context.Context, f query.AuditFilter, after *query.Position, limit int, yield func(audit.Entry) bool) error {
	q := newStatement(selectAuditSQL)
	q.whereIf(f.Actor != "", auditActor, f.Actor)
	q.whereIf(f.Action != "", auditAction, string(f.Action))
	q.whereIf(f.Target != "", auditTarget, f.Target)
	q.whereIf(!f.From.IsZero(), auditFrom, f.From)
	q.whereIf(!f.To.IsZero(), auditTo, f.To)
	if after != nil {
		q.where(auditBefore, after.At, after.ID)
	}

	q.orderBy(auditOrder, limit)
	return listRows(ctx, s, s.mode, q, scanAuditEntry, yield)
}

func scanAuditEntry(row pgx.Row) (e audit.Entry, err error) {
	err = row.Scan(&e.ID, &e.At, &e.Actor.Name, &e.Actor.Application, &e.Actor.RequestID, &e.Action, &e.Target, &e.Detail)
	e.At = e.At.UTC()
	return e, err
}

// expireAuditSQL calls a function of the schema, which walks audit_entry_pkey from the beginning
// and locks the rows that it deletes: the service's own role may not delete entries.
const expireAuditSQL = `select theeye_expire_audit($1, $2)`

// PruneAudit implements retention.Store. It works in small transactions; if it is interrupted,
// the next round continues.
func (s *RetentionStore) PruneAudit(ctx context.Context, before time.Time) error {
	for {
		var deleted int64
		if err := s.db.change.QueryRow(ctx, expireAuditSQL, before, eraseBatchSize).Scan(&deleted); err != nil {
			return translateError(err, "drop old audit entries")
		}

		if deleted == 0 {
			return nil
		}
	}
}
