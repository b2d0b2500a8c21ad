package limits

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
)

// QuestionConfig says which service MeasureQuestions queries, and how often.
type QuestionConfig struct {
	// URL is the address of the service.
	URL string
	// ReadKey is an organisation-wide key with the scope read.
	ReadKey string
	// Pool is connected to the service's database with a role that may read the tables: the
	// objects of the questions are drawn from there, and plans are read.
	Pool *pgxpool.Pool
	// Times is how often each question is asked. Default: 1000. Counts are asked a tenth as
	// often, because each reads some thousand times the rows, and those of all time a hundredth
	// as often.
	Times int
	// Only are the names of the questions to ask; empty stands for all.
	Only []string
	// Seed decides the objects of the questions.
	Seed uint64
	// Now is the monotonic clock for the latencies.
	Now func() time.Time
}

// Answer holds the latencies of one question, from the request to the last byte of the answer.
type Answer struct {
	Question string
	Asked    int
	P50      time.Duration
	P99      time.Duration
	Max      time.Duration
	// Plan is the output of EXPLAIN (ANALYZE, BUFFERS) for the statements behind the question,
	// for one of its objects.
	Plan string
}

// MeasureQuestions asks a running service each question about its events and sessions, one
// after another over one connection, and returns the latencies. It changes nothing. Any answer
// but 200 is an error.
func MeasureQuestions(ctx context.Context, config QuestionConfig) ([]Answer, error) {
	if config.Now == nil {
		return nil, errors.New("answers cannot be timed without a clock")
	}

	if config.Times <= 0 {
		config.Times = 1000
	}

	counts := max(config.Times/10, 1)
	allTimeCounts := max(config.Times/100, 1)
	random := rand.New(rand.NewPCG(config.Seed, 1)) //nolint:gosec // has to be reproducible

	drawn, err := drawSample(ctx, config.Pool, random)
	if err != nil {
		return nil, err
	}

	db, err := openStore(ctx, config.Pool)
	if err != nil {
		return nil, err
	}
	defer db.Close()

	a := &questioner{
		config: config,
		client: &http.Client{Transport: &http.Transport{DisableCompression: true}},
		store:  postgres.NewQueryStore(db),
	}
	defer a.client.CloseIdleConnections()

	return a.measureRounds(ctx, []questionRound{
		{drawn.eventQuestions(random, config.Times), config.Times},
		{drawn.payloadQuestions(random, counts), counts},
		{drawn.dailyCountQuestions(random, counts), counts},
		{drawn.allTimeCountQuestions(), allTimeCounts},
	})
}

type questioner struct {
	config QuestionConfig
	client *http.Client
	store  *postgres.QueryStore
}

// questionRound holds questions that are asked the same number of times.
type questionRound struct {
	questions []question
	times     int
}

// measureRounds asks the selected questions that apply to the data.
func (a *questioner) measureRounds(ctx context.Context, rounds []questionRound) ([]Answer, error) {
	var answers []Answer
	for _, round := range rounds {
		for _, q := range round.questions {
			if len(a.config.Only) > 0 && !slices.Contains(a.config.Only, q.name) {
				continue
			}

			answer, err := a.measureQuestion(ctx, &q, round.times)
			if errors.Is(err, errNotPossible) {
				continue
			}

			if err != nil {
				return answers, fmt.Errorf("ask for %s: %w", q.name, err)
			}

			answers = append(answers, answer)
		}
	}

	return answers, nil
}

// errNotPossible means that a question does not apply to the data.
var errNotPossible = errors.New("the question does not apply to the data")

// errNoNextPage means that there is no second page.
var errNoNextPage = errors.New("there is no next page")

// measureQuestion asks one question several times, each time about another object.
func (a *questioner) measureQuestion(ctx context.Context, q *question, times int) (Answer, error) {
	if q.possible != nil {
		found, err := q.possible(ctx, a.store)
		if err != nil {
			return Answer{}, err
		}

		if !found {
			return Answer{}, errNotPossible
		}
	}

	took := make([]time.Duration, 0, times)
	const warm = 5 // the first ones pay for connections and plans
	for n := -warm; n < times; n++ {
		one, err := a.timeRequest(ctx, q, max(n, 0))
		switch {
		case errors.Is(err, errNoNextPage):
		case err != nil:
			return Answer{}, err
		case n >= 0:
			took = append(took, one)
		}
	}

	if len(took) == 0 {
		return Answer{}, errNoNextPage
	}

	plan, err := a.explainPlan(ctx, q)
	slices.Sort(took)
	last := len(took) - 1

	return Answer{
		Question: q.name,
		Asked:    len(took),
		P50:      took[last/2],
		P99:      took[last*99/100],
		Max:      took[last],
		Plan:     plan,
	}, err
}

// timeRequest asks a question about its n-th object once.
func (a *questioner) timeRequest(ctx context.Context, q *question, n int) (time.Duration, error) {
	path := q.path(n)
	if q.followsCursor && q.cursor != "" {
		path += "&after=" + url.QueryEscape(q.cursor)
	}

	if q.nextPage {
		first, err := a.fetchBody(ctx, path)
		if err != nil {
			return 0, err
		}

		var page struct {
			NextCursor string `json:"next_cursor"`
		}
		if err := json.Unmarshal(first, &page); err != nil {
			return 0, fmt.Errorf("read a page: %w", err)
		}

		if page.NextCursor == "" {
			return 0, errNoNextPage
		}

		path += "&cursor=" + url.QueryEscape(page.NextCursor)
	}

	start := a.config.Now()
	body, err := a.fetchBody(ctx, path)

	took := a.config.Now().Sub(start)
	if err == nil && q.followsCursor {
		var page struct {
			Next string `json:"next"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return 0, fmt.Errorf("read a page: %w", err)
		}

		q.cursor = page.Next
	}

	return took, err
}

func (a *questioner) fetchBody(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.config.URL+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}

	request.Header.Set("Authorization", "Bearer "+a.config.ReadKey)
	response, err := a.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("send a request: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // the body was read

	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the answer is %s: %s", response.Status, bytes.TrimSpace(body))
	}

	return body, err
}

// explainPlan returns the plans of the statements for the first object.
func (a *questioner) explainPlan(ctx context.Context, q *question) (string, error) {
	var plans []string
	var after *query.Position
	if q.nextPage {
		err := a.store.Events(ctx, q.filter(0), nil, query.DefaultLimit, func(e event.Stored) bool {
			after = &query.Position{At: e.Timestamp, Sequence: e.Sequence, ID: e.ID}
			return true
		})
		if err != nil {
			return "", err
		}
	}

	err := q.explain(ctx, a.store.ExplainTo(func(plan string) { plans = append(plans, plan) }), 0, after)

	return strings.Join(plans, "\n"), err
}
