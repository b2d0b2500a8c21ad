package client

import (
	"context"
	"iter"
	"maps"
	"net/url"
	"time"
)

// ChangesQuery says which changes are read, and from where.
type ChangesQuery struct {
	Application, Category, Name string
	// After is the Next of a page that was read with the same filters, possibly by an earlier
	// process. Without it the changes begin with the first event of all.
	After string
	// Follow is how long to wait for more after the last change. Zero ends the list there.
	Follow time.Duration
	// PageSize is how many events a page has at most, up to 1,000, which is the default.
	PageSize int
}

// ChangePage is a part of the changes.
type ChangePage struct {
	// Events were stored or edited, in the order of their commits. It may be empty.
	Events []StoredEvent `json:"events"`
	// Next is where the next page begins. Keep it when the events are processed, and after a
	// restart read on from there: nothing is left out, and nothing comes twice.
	Next string `json:"next"`
	// More says that further changes are there already.
	More bool `json:"more"`
	// CompleteUntil is a time before which every event that was committed has been read; zero
	// while there is more to read.
	CompleteUntil time.Time `json:"complete_until"`
	// Restarted says why events come again, if the service's database lost changes that were
	// read before: it failed over, or was restored. Nil in every other case.
	Restarted *Restart `json:"restarted"`
}

// Restart is why changes come again. Those that do have the same ids.
type Restart struct {
	// Reason is for people.
	Reason string `json:"reason"`
}

// Changes reads the events in the order of their commits, page after page. No event is left
// out, however late its transaction committed. It ends when there are no more, or with Follow
// when the context ends, whose error it yields. Any other error ends it too; read on from the
// Next of the last page.
func (c *Client) Changes(ctx context.Context, q ChangesQuery) iter.Seq2[ChangePage, error] {
	query := url.Values{}
	setText(query, "application", q.Application)
	setText(query, "category", q.Category)
	setText(query, "name", q.Name)
	setText(query, "after", q.After)
	setLimit(query, q.PageSize)
	return func(yield func(ChangePage, error) bool) {
		query := maps.Clone(query) // each loop begins at the beginning
		for {
			var page ChangePage
			if err := c.get(ctx, "/v1/events/changes", query, &page); err != nil {
				yield(ChangePage{}, err)
				return
			}

			if !yield(page, nil) {
				return
			}

			query.Set("after", page.Next)
			switch {
			case page.More:
			case q.Follow <= 0:
				return
			case !waitFor(ctx, q.Follow):
				yield(ChangePage{}, context.Cause(ctx))
				return
			}
		}
	}
}

// waitFor waits, and reports whether the context still runs.
func waitFor(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()

	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
