package limits

import (
	"context"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
)

// question is one kind of query, sent over HTTP.
type question struct {
	name string
	// path returns the path for the n-th object.
	path func(n int) string
	// nextPage is true when the second page is timed, and not the first.
	nextPage bool
	// explain explains the service's statements for the n-th object. after is the end of the
	// first page when nextPage is set.
	explain func(ctx context.Context, store *postgres.QueryStore, n int, after *query.Position) error
	// filter returns the filter of a page of events.
	filter func(n int) query.EventFilter
	// followsCursor is true when each answer has the cursor of the next request, kept in
	// cursor.
	followsCursor bool
	cursor        string
	// possible reports whether the question applies to the data; nil means always.
	possible func(ctx context.Context, store *postgres.QueryStore) (bool, error)
}

// timeRange includes the first time and excludes the second.
type timeRange [2]time.Time

// drawRanges draws ranges from the period of the events, each of which begins at a multiple of
// a step.
func (s *sample) drawRanges(random *rand.Rand, times int, step time.Duration) []timeRange {
	found := make([]timeRange, times)
	for n := range found {
		from := s.from.Add(time.Duration(random.Int64N(int64(s.to.Sub(s.from) - s.window))))
		from = from.Truncate(step)
		found[n] = timeRange{from, from.Add(s.window)}
	}

	return found
}

// eventQuestions returns the questions about events, sessions and changes.
func (s *sample) eventQuestions(random *rand.Rand, times int) []question {
	within := func(category string, names []string) func(int) query.EventFilter {
		ranges := s.drawRanges(random, times, time.Microsecond)

		return func(n int) query.EventFilter {
			filter := query.EventFilter{
				Category:   category,
				From:       elementAt(ranges, n)[0],
				To:         elementAt(ranges, n)[1],
				Descending: true,
			}
			if names != nil {
				filter.Name = elementAt(names, n)
			}

			return filter
		}
	}

	return []question{
		timelineQuestion("timeline of a typical session", s.typical),
		timelineQuestion("timeline of a session of 1,000 events and more, first page", s.long),
		pageQuestion("common category in a day", within(s.common, nil), false),
		pageQuestion("common category in a day, next page", within(s.common, nil), true),
		pageQuestion("common category and a name in a day", within(s.common, s.names), false),
		pageQuestion("rare category in a day", within(s.rare, nil), false),
		pageQuestion("all events in a day", within("", nil), false),
		pageQuestion("all events in a day, next page", within("", nil), true),
		eventQuestion(s.events),
		sessionListQuestion(s.drawRanges(random, times, time.Microsecond)),
		s.changesQuestion("changes, page after page of 100", query.ChangeFilter{}, query.DefaultLimit),
		s.changesQuestion("changes, page after page of 1,000", query.ChangeFilter{}, query.MaxLimit),
	}
}

func timelineQuestion(name string, sessions []uuid.UUID) question {
	return question{
		name: name,
		path: func(n int) string { return "/v1/sessions/" + elementAt(sessions, n).String() + "/events" },
		explain: func(ctx context.Context, store *postgres.QueryStore, n int, _ *query.Position) error {
			id := elementAt(sessions, n)
			if _, err := store.Session(ctx, id); err != nil {
				return err
			}

			return store.Events(ctx, query.EventFilter{SessionID: uuid.NullUUID{UUID: id, Valid: true}}, nil, query.DefaultLimit+1, nil)
		},
	}
}

// pageQuestion asks for the newest events that match a filter.
func pageQuestion(name string, filter func(n int) query.EventFilter, next bool) question {
	return question{
		name:     name,
		nextPage: next,
		filter:   filter,
		path: func(n int) string {
			f := filter(n)
			values := rangeValues(timeRange{f.From, f.To})
			for name, value := range map[string]string{"category": f.Category, "name": f.Name} {
				if value != "" {
					values.Set(name, value)
				}
			}

			return "/v1/events?" + values.Encode()
		},
		explain: func(ctx context.Context, store *postgres.QueryStore, n int, after *query.Position) error {
			return store.Events(ctx, filter(n), after, query.DefaultLimit+1, nil)
		},
	}
}

func eventQuestion(events []sampledEvent) question {
	return question{
		name: "event by id",
		path: func(n int) string { return "/v1/events/" + elementAt(events, n).ID.String() },
		explain: func(ctx context.Context, store *postgres.QueryStore, n int, _ *query.Position) error {
			_, err := store.Event(ctx, elementAt(events, n).ID)
			return err
		},
	}
}

func sessionListQuestion(ranges []timeRange) question {
	return question{
		name: "sessions of a day",
		path: func(n int) string { return "/v1/sessions?" + rangeValues(elementAt(ranges, n)).Encode() },
		explain: func(ctx context.Context, store *postgres.QueryStore, n int, _ *query.Position) error {
			r := elementAt(ranges, n)
			return store.Sessions(ctx, query.SessionFilter{From: r[0], To: r[1]}, nil, query.DefaultLimit+1, nil)
		},
	}
}

func rangeValues(r timeRange) url.Values {
	return url.Values{"from": {event.FormatTimestamp(r[0])}, "to": {event.FormatTimestamp(r[1])}}
}
