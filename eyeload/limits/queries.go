package limits

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// measureQueries measures the questions of analysts to a full database, and then the ingest
// rate of that database.
func (r *pass) measureQueries(ctx context.Context) error {
	if err := r.truncateTables(ctx); err != nil {
		return err
	}

	begin := r.options.Now()
	filled, err := FillDatabase(ctx, r.pool, DatasetConfig{Events: r.options.Events, End: begin})
	if err != nil {
		return err
	}

	// A real database has written its older rows to disk long before it is queried.
	if _, err := r.pool.Exec(ctx, "checkpoint"); err != nil {
		return fmt.Errorf("write the data set to disk: %w", err)
	}

	r.printProgress("  stored %d events in %d sessions within %s", filled.Events, filled.Sessions, r.options.Now().Sub(begin).Round(1e9))
	var size float64
	if err := r.pool.QueryRow(ctx, "select pg_database_size(current_database())").Scan(&size); err != nil {
		return fmt.Errorf("read the database's size: %w", err)
	}

	r.recordFigure("bytes on disk an event, with indexes, ledger and sessions", size/float64(filled.Events))
	config := QuestionConfig{URL: "http://" + r.service.Address, ReadKey: r.readKey, Pool: r.pool, Now: r.options.Now}

	answers, err := MeasureQuestions(ctx, config)
	if err != nil {
		return err
	}

	begin = r.options.Now()
	if err := IndexPayloadMember(ctx, r.pool, config.Seed); err != nil {
		return err
	}

	r.recordFigure("an index of a payload's member: seconds", r.options.Now().Sub(begin).Seconds())

	config.Only = []string{indexedQuestion}
	indexed, err := MeasureQuestions(ctx, config)
	if err != nil {
		return err
	}

	answers = append(answers, indexed...)
	for _, a := range answers {
		r.recordFigure(a.Question+": p50 ms", toMilliseconds(a.P50))
		r.recordFigure(a.Question+": p99 ms", toMilliseconds(a.P99))
		if err := r.appendPlan(a); err != nil {
			return err
		}
	}

	return r.measureFullDatabase(ctx)
}

// measureFullDatabase measures loads on the full database.
func (r *pass) measureFullDatabase(ctx context.Context) error {
	single := Closed{Workload: Workload{Batch: 1, Sessions: spreadSessions}, Clients: singleClients, For: r.options.For}
	batch := Closed{
		Workload: Workload{Batch: batchEvents, Sessions: spreadSessions},
		Clients:  batchClients,
		For:      r.options.For,
	}

	for _, part := range []struct {
		name string
		load Closed
	}{{"single events, 256 clients", single}, {"batches of 100, 16 clients", batch}} {
		result, err := part.load.Run(ctx, r.service.Target, r.options.Now)
		if err != nil {
			return err
		}

		if result.Failed > 0 {
			return failedRequestsError(part.name, result.Failed)
		}

		r.recordFigure(fmt.Sprintf("on top of %d events, %s: events/s", r.options.Events, part.name), result.EventsPerSecond())
	}

	return nil
}

// appendPlan appends the plan of an answer to the file of plans.
func (r *pass) appendPlan(a Answer) error {
	if r.options.Plans == "" {
		return nil
	}

	file, err := os.OpenFile(filepath.Join(r.options.Plans, "plans.txt"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // the caller names the folder
	if err != nil {
		return fmt.Errorf("write a plan: %w", err)
	}
	defer file.Close() //nolint:errcheck // Fprintf reports a failed write

	if _, err := fmt.Fprintf(file, "-- %s\n%s\n\n", a.Question, a.Plan); err != nil {
		return fmt.Errorf("write a plan: %w", err)
	}

	return nil
}
