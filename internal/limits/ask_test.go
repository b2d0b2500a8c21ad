package limits_test

import (
	"context"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/apptest"
	"github.com/the-eye-events/the-eye/internal/limits"
	"github.com/the-eye-events/the-eye/internal/pgtest"
)

// Every question is answered, and by the index that ARCHITECTURE.md names for it.
// The indexes of partitions are named for their columns.
func TestQuestionsUseTheirIndexes(t *testing.T) {
	t.Parallel()
	const primary, byTime, byCategory = `_pkey`, `_timestamp_event_id_idx`, `_category_timestamp_name_idx`
	// Two of five events of a day are of the common category: to the planner both ways cost
	// the same at this size, and the sample that ANALYZE took decides. Neither leaves the day.
	const either = `(` + byCategory + `|` + byTime + `)`
	indexes := map[string][]string{
		"timeline of a typical session":                                    {`session_pkey`, `event_p\d+_\d+` + primary},
		"timeline of a session of 1,000 events and more, first page":       {`session_pkey`, `event_p\d+_\d+` + primary},
		"common category in a day":                                         {either},
		"common category in a day, next page":                              {either},
		"common category and a name in a day":                              {byCategory},
		"rare category in a day":                                           {byCategory},
		"all events in a day":                                              {byTime},
		"all events in a day, next page":                                   {byTime},
		"event by id":                                                      {`event_key_pkey`, byTime},
		"sessions of a day":                                                {`session_started_at_idx`},
		"SQL, counts of a day by hour, common category, grouped":           {`Index Only Scan .*` + byCategory},
		"SQL, counts of a day by hour, common category, one count an hour": {`Index Only Scan .*` + byCategory},
		"SQL, counts of a day by hour, all, grouped":                       {`Index Only Scan .*` + byTime},
		"SQL, counts of a day by hour, all, one count an hour":             {`Index Only Scan .*` + byTime},
	}
	database := pgtest.New(t)
	service := apptest.StartOn(t, database, nil)
	_, err := limits.Fill(context.Background(), database.Pool(t), limits.DatasetConfig{Events: 50_000, End: end()})
	require.NoError(t, err)
	// The server of tests commits before its log is written, and VACUUM takes nothing
	// for visible to all before that.
	for _, statement := range []string{"checkpoint", "vacuum event"} {
		_, err = database.Pool(t).Exec(context.Background(), statement)
		require.NoError(t, err)
	}

	answers, err := limits.Ask(context.Background(), limits.QuestionConfig{
		URL: service.URL, ReadKey: service.ReadAll, Pool: database.Pool(t), Times: 3, Now: time.Now,
	})

	require.NoError(t, err)
	scanned := regexp.MustCompile(`Seq Scan on event_\w+ [^\n]*\(actual time=[^\n]*rows=[1-9]`)
	for _, answer := range answers {
		for _, index := range indexes[answer.Question] {
			require.Regexp(t, `using \w*`+index+`|`+index, answer.Plan, answer.Question)
		}
		require.NotRegexp(t, scanned, answer.Plan, answer.Question)
		require.Positive(t, answer.Asked)
		require.LessOrEqual(t, answer.P50, answer.P99)
		require.LessOrEqual(t, answer.P99, answer.Max)
		delete(indexes, answer.Question)
	}
	require.Empty(t, indexes, "questions that were not asked")
}

func TestAskWithoutAnswers(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	service := apptest.StartOn(t, database, nil)
	config := limits.QuestionConfig{URL: service.URL, ReadKey: service.ReadAll, Pool: database.Pool(t), Times: 1, Now: time.Now}
	_, err := limits.Ask(context.Background(), config)
	require.ErrorContains(t, err, "no events")
	_, err = limits.Fill(context.Background(), config.Pool, limits.DatasetConfig{Events: 20_000, End: end()})
	require.NoError(t, err)
	config.ReadKey = service.Ingest
	_, err = limits.Ask(context.Background(), config)
	require.ErrorContains(t, err, "403 Forbidden")
}
