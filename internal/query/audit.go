package query

import (
	"context"
	"fmt"
	"time"

	"github.com/the-eye-events/the-eye/internal/audit"
)

// AuditFilter selects audit entries, the newest first. Zero values do not filter.
type AuditFilter struct {
	// Actor is the full name of an actor, such as "key:" and the id of a key.
	Actor  string
	Action audit.Action
	// Target is the full name of the changed thing.
	Target string
	// From is inclusive and To exclusive, both on the time of the change.
	From, To time.Time
}

func (f AuditFilter) canonicalText() string {
	return fmt.Sprintf("audit %q %q %q %d %d", f.Actor, f.Action, f.Target, f.From.UnixMicro(), f.To.UnixMicro())
}

// AuditStore finds audit entries.
type AuditStore interface {
	AuditEntries(ctx context.Context, filter AuditFilter, after *Position, limit int, yield func(audit.Entry) bool) error
}

// AuditPage returns a page of audit entries.
func (f *Finder) AuditPage(ctx context.Context, filter AuditFilter, cursor string, limit int) (Page[audit.Entry], error) {
	position := func(e audit.Entry) Position { return Position{At: e.At, ID: e.ID} }
	return readPage(filter.canonicalText(), cursor, limit, position, func(e audit.Entry) int { return len(e.Detail) },
		func(after *Position, limit int, yield func(audit.Entry) bool) error {
			return f.AuditEntries(ctx, filter, after, limit, yield)
		})
}
