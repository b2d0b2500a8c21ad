package postgres_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
)

// A timeline reads only the partitions in which its session has events, by event_pkey, however
// many others there are.
func TestTimelineReadsOnlyItsPartitions(t *testing.T) {
	t.Parallel()
	const months, eventsPerMonth = 6, 300
	b := newBundle(t)
	c := collector(t, b.store, 1)
	session := uuid.New()
	for month := range months {
		var envelopes []event.Envelope
		for i := range eventsPerMonth {
			at := firstOf(-month).Add(time.Duration(i/2) * time.Minute) // pairs at the same time
			envelopes = append(envelopes, envelope(uuid.New(), at))
			if month == 2 || month == 3 {
				envelopes = append(envelopes, envelope(session, at))
			}
		}

		submit(t, c, request(shop, envelopes...))
	}

	_, err := b.database.Pool(t).Exec(context.Background(), "analyze event")
	require.NoError(t, err)
	store := postgres.NewQueryStore(b.db)
	filter := query.EventFilter{SessionID: uuid.NullUUID{UUID: session, Valid: true}}

	scan := regexp.MustCompile(`(?m)^.* on (event_p\d+_\d+) .*$`)
	read := map[string]bool{}
	plan := ""
	err = store.ExplainTo(func(found string) { plan = found }).Events(context.Background(), filter, nil, 100, nil)
	require.NoError(t, err)
	for _, line := range scan.FindAllStringSubmatch(plan, -1) {
		if !strings.Contains(line[0], "never executed") {
			read[line[1]] = true
			require.Contains(t, plan, line[1]+"_pkey")
		}
	}

	require.Len(t, read, 2, plan)

	for _, descending := range []bool{false, true} {
		filter.Descending = descending
		var found []event.Stored
		var after *query.Position
		for range 2*eventsPerMonth/100 + 1 {
			require.NoError(t, store.Events(context.Background(), filter, after, 100, func(e event.Stored) bool {
				found = append(found, e)
				after = &query.Position{At: e.Timestamp, Sequence: e.Sequence, ID: e.ID}
				return true
			}))
		}

		require.Len(t, found, 2*eventsPerMonth, "every event is on exactly one page, descending: %t", descending)
		for i := 1; i < len(found); i++ {
			require.Equal(t, descending, found[i].Before(&found[i-1]))
		}
	}
}
