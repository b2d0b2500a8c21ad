package limits_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/limits"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// Every question is answered with the index that ARCHITECTURE.md names for it.
// The indexes of partitions are named for their columns.
func TestQuestionsUseTheirIndexes(t *testing.T) {
	t.Parallel()
	const primary, byTime, byCategory = `_pkey`, `_timestamp_event_id_idx`, `_category_timestamp_name_idx`

	// Two of five events of a day are in the common category: both plans cost the same at this
	// size, and the sample of ANALYZE decides. Neither reads more than the day.
	const either = `(` + byCategory + `|` + byTime + `)`
	indexes := map[string][]string{
		"timeline of a typical session":                              {`session_pkey`, `event_p\d+_\d+` + primary},
		"timeline of a session of 1,000 events and more, first page": {`session_pkey`, `event_p\d+_\d+` + primary},
		"common category in a day":                                   {either},
		"common category in a day, next page":                        {either},
		"common category and a name in a day":                        {byCategory},
		"rare category in a day":                                     {byCategory},
		"all events in a day":                                        {byTime},
		"all events in a day, next page":                             {byTime},
		"event by id":                                                {`event_key_pkey`, byTime},
		"sessions of a day":                                          {`session_started_at_idx`},
		"changes, page after page of 100":                            {`_transaction_id_idx`},
		"changes, page after page of 1,000":                          {`_transaction_id_idx`},
		"payload in a day, a category and a name, searched":          {byCategory},
		"counts of a day by hour, common category":                   {`Index Only Scan .*` + byCategory},
		"counts of a day by hour and name, common category":          {`Index Only Scan .*` + byCategory},
		"counts of a day by hour, all":                               {`Index Only Scan .*` + byTime},
		"counts of a day by hour and category, all":                  {`Index`},
		"counts of a day by category and application, all":           {byTime},
		"counts of all time by day, common category":                 {`Index Only Scan .*` + byCategory},
		"counts of all time by category":                             nil,
		"counts of all time by day and category":                     nil,
		"counts of all time by application":                          nil,
	}

	database := pgtest.New(t)
	service := apptest.StartOn(t, database, nil)

	// Late in a month: Postgres 18 scans a partition of few days completely to find one day.
	late := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	_, err := limits.FillDatabase(context.Background(), database.Pool(t), limits.DatasetConfig{Events: 50_000, End: late})
	require.NoError(t, err)

	// The server of the tests commits before its log is written, and VACUUM marks no page as
	// all-visible before that.
	for _, statement := range []string{"checkpoint", "vacuum event"} {
		_, err = database.Pool(t).Exec(context.Background(), statement)
		require.NoError(t, err)
	}

	answers, err := limits.MeasureQuestions(context.Background(), limits.QuestionConfig{
		URL:     service.URL,
		ReadKey: service.ReadAll,
		Pool:    database.Pool(t),
		Times:   3,
		Now:     time.Now,
	})

	require.NoError(t, err)
	scanned := regexp.MustCompile(`Seq Scan on event_\w+ [^\n]*\(actual time=[^\n]*rows=[1-9]`)
	for _, answer := range answers {
		for _, index := range indexes[answer.Question] {
			require.Regexp(t, `using \w*`+index+`|`+index, answer.Plan, answer.Question)
		}

		if !strings.HasPrefix(answer.Question, "counts of all time by") {
			require.NotRegexp(t, scanned, answer.Plan, answer.Question)
		}

		require.Positive(t, answer.Asked)
		require.LessOrEqual(t, answer.P50, answer.P99)
		require.LessOrEqual(t, answer.P99, answer.Max)
		delete(indexes, answer.Question)
	}

	require.Empty(t, indexes, "questions that were not asked")

	require.NoError(t, limits.IndexPayloadMember(context.Background(), database.Pool(t), 0))
	answers, err = limits.MeasureQuestions(context.Background(), limits.QuestionConfig{
		URL:     service.URL,
		ReadKey: service.ReadAll,
		Pool:    database.Pool(t),
		Times:   30,
		Now:     time.Now,
		Only:    []string{"payload by its index, all time"},
	})

	require.NoError(t, err)
	require.Len(t, answers, 1)
	require.Contains(t, answers[0].Plan, "event_data_")
}

func TestAskWithoutAnswers(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	service := apptest.StartOn(t, database, nil)
	config := limits.QuestionConfig{
		URL:     service.URL,
		ReadKey: service.ReadAll,
		Pool:    database.Pool(t),
		Times:   1,
		Now:     time.Now,
	}

	_, err := limits.MeasureQuestions(context.Background(), config)
	require.ErrorContains(t, err, "no events")
	_, err = limits.FillDatabase(context.Background(), config.Pool, limits.DatasetConfig{Events: 20_000, End: datasetEnd()})
	require.NoError(t, err)
	config.ReadKey = service.Ingest
	_, err = limits.MeasureQuestions(context.Background(), config)
	require.ErrorContains(t, err, "403 Forbidden")
}
