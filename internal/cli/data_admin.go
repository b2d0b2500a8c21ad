package cli

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/amend"
	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/audit"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
)

// DataAdmin manages stored data for commands, on the database and without a service.
type DataAdmin struct {
	editor *amend.Editor
	eraser *erasure.Eraser
	finder *query.Finder
	// readTimeout bounds one query.
	readTimeout time.Duration
}

// WithDataAdmin calls use with a DataAdmin. Running services are safe: its erasures use the
// same locks as theirs.
func WithDataAdmin(ctx context.Context, c config.Config, use func(DataAdmin) error) error {
	return withDatabase(ctx, c, func(db *postgres.DB) error {
		rules := app.RulesOf(c)
		reads := postgres.NewQueryStore(db)
		erasures := postgres.NewErasureStore(db)
		return use(DataAdmin{
			editor: amend.New(postgres.NewAmendStore(db), &rules, nil, time.Now), // it only erases, and needs no event types
			eraser: app.NewEraser(erasures, zap.NewNop(), nil),
			finder: &query.Finder{
				EventStore:   reads,
				SessionStore: reads,
				AuditStore:   reads,
				SubjectStore: erasures,
			},
			readTimeout: c.Database.ReadTimeout,
		})
	})
}

// ErasedEvent names an event that was erased.
type ErasedEvent struct {
	ID uuid.UUID `json:"event_id"`
}

// EraseEvent erases one event. It returns a NotFound fault if there is none.
func (d DataAdmin) EraseEvent(ctx context.Context, text string) (ErasedEvent, error) {
	id, err := parseID(text)
	if err != nil {
		return ErasedEvent{}, err
	}

	return ErasedEvent{id}, d.editor.EraseEvent(ctx, id, nil)
}

// CheckID returns an error for a text that does not have the form of an id, a UUID. It does not
// check that anything has that id.
func CheckID(text string) error {
	_, err := parseID(text)
	return err
}

func parseID(text string) (uuid.UUID, error) {
	id, ok := query.ParseID(text)
	if !ok {
		return id, fault.New(fault.Invalid, fault.CodeInvalidParameter, "an id is a UUID such as e2085be5-9137-4e4e-80b5-f1ffddc25423")
	}

	return id, nil
}

// AuditQuery selects audit entries. Empty texts do not filter.
type AuditQuery struct {
	Actor, Action, Target string
	// From is inclusive and To exclusive; each is a timestamp of the form of events, or a day.
	From, To string
	// Limit bounds their number.
	Limit int
}

// ListAudit returns audit entries, the newest first.
func (d DataAdmin) ListAudit(ctx context.Context, wanted AuditQuery) ([]audit.Entry, error) {
	from, to, err := parseRange(wanted.From, wanted.To)
	if err != nil {
		return nil, err
	}

	filter := query.AuditFilter{
		Actor:  wanted.Actor,
		Action: audit.Action(wanted.Action),
		Target: wanted.Target,
		From:   from,
		To:     to,
	}

	found := []audit.Entry{}
	cursor := ""
	for len(found) < wanted.Limit {
		page, err := d.finder.AuditPage(ctx, filter, cursor, min(wanted.Limit-len(found), query.MaxLimit))
		if err != nil {
			return nil, err
		}

		found = append(found, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}

	return found, nil
}

// parseRange reads the flags --from and --to.
func parseRange(from, to string) (first, last time.Time, err error) {
	first, last, wrong := query.ParseRange(query.Bound{Name: "--from", Text: from}, query.Bound{Name: "--to", Text: to})
	if len(wrong) == 0 {
		return first, last, nil
	}

	details := make([]string, len(wrong))
	for i := range wrong {
		details[i] = wrong[i].Detail
	}

	return first, last, fault.New(fault.Invalid, fault.CodeInvalidParameter, strings.Join(details, "\n"))
}
