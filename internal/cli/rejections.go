package cli

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/rejection"
)

// Rejections manages rejected events for commands, on the database and without a service.
type Rejections struct {
	service *rejection.Service
	finder  *query.Finder
}

// WithRejections calls use with the rejections of a database. Replayed events go through a
// collector of this process, which uses the same locks as those of services. The logger gets
// the events that the database rejects.
func WithRejections(ctx context.Context, c config.Config, logger *zap.Logger, use func(Rejections) error) error {
	return withDatabase(ctx, c, func(db *postgres.DB) error {
		types := eventtype.NewCache(eventtype.Unregistered(c.EventTypes.Unregistered), eventtype.CacheDeps{
			Store:  postgres.NewEventTypeStore(db),
			Logger: zap.NewNop(),
			Now:    time.Now,
		})
		if err := types.Refresh(ctx); err != nil {
			return fmt.Errorf("%w: %w", app.ErrDependency, err)
		}

		types.Start(ctx)
		defer types.Stop()

		rules := app.RulesOf(c)
		reads := postgres.NewQueryStore(db)
		collector := ingest.New(app.CollectorConfig(c), ingest.Deps{
			Store:  postgres.NewEventStore(app.RejectionBounds(c), postgres.EventStoreDeps{DB: db, NewID: app.NewID, Now: time.Now}),
			Types:  types,
			Ledger: reads,
			Logger: logger,
			NewID:  app.NewID,
			Now:    time.Now,
		})
		collector.Start(ctx)
		defer collector.Stop(context.WithoutCancel(ctx)) // nothing waits any more

		return use(Rejections{app.NewRejections(db, collector, &rules, nil), &query.Finder{RejectionStore: reads}})
	})
}

// RejectionQuery selects rejections. Empty texts do not filter.
type RejectionQuery struct {
	IDs                                                []string
	Code, Application, Category, Name, Session, Status string
	// From is inclusive and To exclusive; each is a timestamp of the form of events, or a day.
	From, To string
	// All selects all rejections, if no filter is set.
	All bool
	// Limit bounds their number; 0 means no limit.
	Limit  int
	DryRun bool
}

// HasSelection reports whether the query selects rejections explicitly, possibly by All.
func (q *RejectionQuery) HasSelection() bool {
	return q.All || len(q.IDs) > 0 ||
		cmp.Or(q.Code, q.Application, q.Category, q.Name, q.Session, q.Status, q.From, q.To) != ""
}

// Check returns an error for an id or a time that cannot be read. It needs no database.
func (q *RejectionQuery) Check() error {
	_, err := q.toSelection()
	return err
}

// toFilter converts a query to a filter.
func (q *RejectionQuery) toFilter() (f query.RejectionFilter, err error) {
	f = query.RejectionFilter{
		Code:        q.Code,
		Application: q.Application,
		Category:    q.Category,
		Name:        q.Name,
		Status:      q.Status,
	}
	if q.Session != "" {
		f.SessionID.Valid = true
		if f.SessionID.UUID, err = parseID(q.Session); err != nil {
			return f, err
		}
	}

	f.From, f.To, err = parseRange(q.From, q.To)
	return f, err
}

// toSelection converts a query to a selection of open rejections.
func (q *RejectionQuery) toSelection() (s rejection.Selection, err error) {
	f, err := q.toFilter()
	if err != nil {
		return s, err
	}

	s.Code = f.Code
	s.Application = f.Application
	s.Category = f.Category
	s.Name = f.Name
	s.SessionID = f.SessionID
	s.From = f.From
	s.To = f.To
	s.All = q.All
	s.Limit = q.Limit
	s.DryRun = q.DryRun
	for _, text := range q.IDs {
		id, err := parseID(text)
		if err != nil {
			return s, err
		}

		s.IDs = append(s.IDs, id)
	}

	return s, nil
}

// List passes rejections to show, newest first, until show fails.
func (r Rejections) List(ctx context.Context, q RejectionQuery, show func(*query.Rejection) error) error {
	f, err := q.toFilter()
	if err != nil {
		return err
	}

	cursor := ""
	left := q.Limit
	for {
		page, err := r.finder.RejectionPage(ctx, f, cursor, min(left, query.MaxLimit))
		if err != nil {
			return err
		}

		for i := range page.Items {
			if err := show(&page.Items[i]); err != nil {
				return err
			}
		}

		left -= len(page.Items)
		if cursor = page.Next; cursor == "" || left == 0 {
			return nil
		}
	}
}

// Find returns one rejection, or a NotFound fault.
func (r Rejections) Find(ctx context.Context, text string) (*query.Rejection, error) {
	id, err := parseID(text)
	if err != nil {
		return nil, err
	}

	found, err := r.finder.Rejection(ctx, id)
	return &found, err
}

// Replay sends open rejections through ingest again.
func (r Rejections) Replay(ctx context.Context, q RejectionQuery, progress func(rejection.ReplayTotals)) (rejection.ReplayTotals, error) {
	s, err := q.toSelection()
	if err != nil {
		return rejection.ReplayTotals{}, err
	}

	return r.service.Replay(ctx, s, progress)
}

// Discard closes open rejections.
func (r Rejections) Discard(ctx context.Context, q RejectionQuery, progress func(rejection.DiscardTotals)) (rejection.DiscardTotals, error) {
	s, err := q.toSelection()
	if err != nil {
		return rejection.DiscardTotals{}, err
	}

	return r.service.Discard(ctx, s, progress)
}
