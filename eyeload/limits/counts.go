package limits

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
)

// changesQuestion asks for one page of changes after another.
func (s *sample) changesQuestion(name string, filter query.ChangeFilter, limit int) question {
	return question{
		name:          name,
		followsCursor: true,
		path:          func(int) string { return fmt.Sprintf("/v1/events/changes?limit=%d", limit) },
		explain: func(ctx context.Context, store *postgres.QueryStore, _ int, _ *query.Position) error {
			const beyond = 1 << 62
			if _, err := store.Watermark(ctx); err != nil {
				return err
			}

			return store.Changes(ctx, filter, query.ChangePosition{Transaction: s.transaction}, beyond, limit+1, nil)
		},
	}
}

// countQuestion asks for counts.
func countQuestion(name string, filter func(n int) query.StatsFilter) question {
	return question{
		name: name,
		path: func(n int) string {
			f := filter(n)
			values := url.Values{}
			set := func(name, value string) {
				if value != "" {
					values.Set(name, value)
				}
			}

			set("category", f.Category)
			set("group_by", strings.Join(f.By, ","))
			set("interval", map[query.Interval]string{query.Minute: "minute", query.Hour: "hour", query.Day: "day"}[f.Interval])
			if !f.From.IsZero() {
				set("from", event.FormatTimestamp(f.From))
				set("to", event.FormatTimestamp(f.To))
			}

			return "/v1/stats?" + values.Encode()
		},
		explain: func(ctx context.Context, store *postgres.QueryStore, n int, _ *query.Position) error {
			return store.CountEvents(ctx, filter(n), query.MaxBuckets+1, nil)
		},
	}
}

// dailyCountQuestions returns the counts of a day. They take longer and are asked less often.
func (s *sample) dailyCountQuestions(random *rand.Rand, times int) []question {
	ranges := s.drawRanges(random, times, time.Hour)
	day := func(category string, interval query.Interval, by ...string) func(int) query.StatsFilter {
		return func(n int) query.StatsFilter {
			return query.StatsFilter{
				Grouping: query.Grouping{By: by, Interval: interval},
				Category: category,
				From:     elementAt(ranges, n)[0],
				To:       elementAt(ranges, n)[1],
			}
		}
	}

	return []question{
		countQuestion("counts of a day by hour, common category", day(s.common, query.Hour)),
		countQuestion("counts of a day by hour and name, common category", day(s.common, query.Hour, "name")),
		countQuestion("counts of a day by hour, all", day("", query.Hour)),
		countQuestion("counts of a day by hour and category, all", day("", query.Hour, "category")),
		countQuestion("counts of a day by category and application, all", day("", 0, "category", "application")),
	}
}

// allTimeCountQuestions returns the counts of all events.
func (s *sample) allTimeCountQuestions() []question {
	all := func(category string, interval query.Interval, by ...string) func(int) query.StatsFilter {
		return func(int) query.StatsFilter {
			return query.StatsFilter{
				Grouping: query.Grouping{By: by, Interval: interval},
				Category: category,
				From:     s.from.Truncate(day),
				To:       s.to,
			}
		}
	}

	return []question{
		countQuestion("counts of all time by day, common category", all(s.common, query.Day)),
		countQuestion("counts of all time by category", all("", 0, "category")),
		countQuestion("counts of all time by day and category", all("", query.Day, "category")),
		countQuestion("counts of all time by application", all("", 0, "application")),
	}
}

// payloadQuestions asks for events with a value in the payload that one event in a hundred
// thousand has.
func (s *sample) payloadQuestions(random *rand.Rand, times int) []question {
	ranges := s.drawRanges(random, times, time.Microsecond)
	filter := func(n int, ranged bool) query.EventFilter {
		f := query.EventFilter{
			Category:   s.common,
			Name:       s.name,
			Descending: true,
			Data: []query.DataFilter{{
				Path:  query.DataPath{indexedMember},
				Value: elementAt(s.values, n),
			}},
		}
		if ranged {
			f.From = elementAt(ranges, n)[0]
			f.To = elementAt(ranges, n)[1]
		}

		return f
	}

	ask := func(name string, ranged bool) question {
		return question{
			name: name,
			path: func(n int) string {
				f := filter(n, ranged)
				values := url.Values{"category": {f.Category}, "name": {f.Name}, "data." + indexedMember: {f.Data[0].Value}}
				if ranged {
					values.Set("from", event.FormatTimestamp(f.From))
					values.Set("to", event.FormatTimestamp(f.To))
				}

				return "/v1/events?" + values.Encode()
			},
			explain: func(ctx context.Context, store *postgres.QueryStore, n int, _ *query.Position) error {
				f := filter(n, ranged)
				known := &query.Finder{PathStore: store}
				if err := known.AdmitFilter(ctx, &f); err != nil {
					return err
				}

				return store.Events(ctx, f, nil, query.DefaultLimit+1, nil)
			},
		}
	}

	indexed := ask(indexedQuestion, false)
	indexed.possible = func(ctx context.Context, store *postgres.QueryStore) (bool, error) {
		found, err := store.FindIndexed(ctx, s.common, s.name, []query.DataPath{{indexedMember}})
		return err == nil && found[0], err
	}

	searched := ask("payload in a day, a category and a name, searched", true)
	searched.possible = func(ctx context.Context, store *postgres.QueryStore) (bool, error) {
		found, err := indexed.possible(ctx, store)
		return !found, err
	}

	return []question{searched, indexed}
}

// indexedMember is a member of the payloads of a data set, and indexedQuestion the question
// that is possible once the member has an index.
const (
	indexedMember   = "path"
	indexedQuestion = "payload by its index, all time"
)

// markIndexedSQL marks a member of an event type's payloads as indexed.
const markIndexedSQL = `
with made as (insert into event_type (category, name, version) values ($1, $2, 1) returning event_type_id)
insert into event_type_version (event_type_id, version, mode, schema)
select event_type_id, 1, 'observe', json_build_object('properties', json_build_object($3::text, json_build_object('x-theeye', 'indexed'))) from made`

// IndexPayloadMember creates an index of a member of the commonest event type's payloads, as
// the service does for a schema that marks the member, and waits until it exists.
func IndexPayloadMember(ctx context.Context, pool *pgxpool.Pool, seed uint64) error {
	drawn, err := drawSample(ctx, pool, rand.New(rand.NewPCG(seed, 1))) //nolint:gosec // has to be reproducible
	if err != nil {
		return err
	}

	if _, err := pool.Exec(ctx, markIndexedSQL, drawn.common, drawn.name, indexedMember); err != nil {
		return fmt.Errorf("mark a member of payloads: %w", err)
	}

	db, err := openStore(ctx, pool)
	if err != nil {
		return err
	}
	defer db.Close()

	store := postgres.NewPathIndexStore(db)
	for {
		wanted, err := store.WantedPaths(ctx)
		if err != nil {
			return err
		}

		// A round does nothing while the service itself creates indexes.
		if _, err := store.ReconcileIndexes(ctx, wanted); err != nil {
			return err
		}

		found, err := postgres.NewQueryStore(db).FindIndexed(ctx, drawn.common, drawn.name, []query.DataPath{{indexedMember}})
		if err != nil || found[0] {
			return err
		}
	}
}
