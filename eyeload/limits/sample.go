package limits

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// sample holds objects for the questions, drawn from the tables.
type sample struct {
	from, to time.Time
	// window is the length of the ranges in the questions.
	window time.Duration
	events []sampledEvent
	// typical sessions have 10 to 40 events, long ones 1,000 and more.
	typical, long []uuid.UUID
	common, rare  string
	// names are those of the sampled events in the common category.
	names []string
	// name is the commonest name of the common category, and values are values of indexedMember
	// in those events.
	name   string
	values []string
	// transaction is a transaction id in the middle.
	transaction int64
}

type sampledEvent struct {
	ID       uuid.UUID
	Category string
	Name     string
	Value    string
}

const (
	// spanSQL reads both ends of event_timestamp_idx and event_transaction_id_idx.
	spanSQL = `select min("timestamp"), max("timestamp"), coalesce((min(transaction_id) + max(transaction_id)) / 2, 0) from event`
	// sampleEventsSQL reads some tens of thousands of rows: whole pages, drawn at random.
	sampleEventsSQL = `
	select event_id, category, name, coalesce(data ->> '` + indexedMember + `', '') from event tablesample system (
		(select least(100, 100.0 * $1 / greatest(sum(c.reltuples), 1)) from pg_inherits i join pg_class c on c.oid = i.inhrelid
		where i.inhparent = 'event'::regclass)) repeatable ($2)`
	// sampleSessionsSQL scans session, and draws by a digest to be repeatable.
	sampleSessionsSQL = `
	select session_id from session where event_count between $1 and $2 order by md5(session_id::text || $3) limit $4`
	sampledEvents   = 20_000
	sampledSessions = 5_000
	day             = 24 * time.Hour
)

// drawSample samples the tables. Equal seeds and tables give equal samples.
func drawSample(ctx context.Context, pool *pgxpool.Pool, random *rand.Rand) (*sample, error) {
	var s sample
	var first, last *time.Time
	err := pool.QueryRow(ctx, spanSQL).Scan(&first, &last, &s.transaction)
	if err == nil && first == nil {
		err = errors.New("there are no events to query")
	}

	if err != nil {
		return nil, fmt.Errorf("find the time that events span: %w", err)
	}

	s.from = first.UTC()
	s.to = last.UTC().Add(time.Microsecond)
	s.window = min(day, s.to.Sub(s.from)/2)
	seed := random.Int32()
	rows, err := pool.Query(ctx, sampleEventsSQL, sampledEvents, seed)
	if err == nil {
		s.events, err = pgx.CollectRows(rows, pgx.RowToStructByPos[sampledEvent])
	}

	if err == nil && len(s.events) == 0 {
		err = errors.New("no event was drawn: run VACUUM (ANALYZE) event first")
	}

	if err != nil {
		return nil, fmt.Errorf("draw events: %w", err)
	}

	random.Shuffle(len(s.events), func(a, b int) {
		s.events[a], s.events[b] = s.events[b], s.events[a]
	})

	for _, want := range []struct {
		into        *[]uuid.UUID
		least, most int
	}{{&s.typical, 10, 40}, {&s.long, 1000, 1_000_000}} {
		rows, err := pool.Query(ctx, sampleSessionsSQL, want.least, want.most, fmt.Sprint(seed), sampledSessions)
		if err == nil {
			*want.into, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		}

		if err == nil && len(*want.into) == 0 {
			err = fmt.Errorf("there is no session of %d to %d events", want.least, want.most)
		}

		if err != nil {
			return nil, fmt.Errorf("draw sessions: %w", err)
		}
	}

	s.rankCategories()

	return &s, nil
}

// rankCategories finds the commonest and the rarest category of the sampled events.
func (s *sample) rankCategories() {
	counts := map[string]int{}
	for _, e := range s.events {
		counts[e.Category]++
	}

	var ranked []string
	for category := range counts {
		ranked = append(ranked, category)
	}

	slices.SortFunc(ranked, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	s.common = ranked[0]
	s.rare = ranked[len(ranked)-1]
	named := map[string][]string{}
	for _, e := range s.events {
		if e.Category == s.common {
			s.names = append(s.names, e.Name)
			named[e.Name] = append(named[e.Name], e.Value)
		}
	}

	for name, values := range named {
		if len(values) > len(s.values) || len(values) == len(s.values) && name < s.name {
			s.name = name
			s.values = values
		}
	}
}

// elementAt returns the n-th element of a list that repeats after its end.
func elementAt[T any](list []T, n int) T { return list[n%len(list)] }
