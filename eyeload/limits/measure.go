package limits

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// cpuTimes is the CPU time that the service and Postgres have used.
func (r *pass) cpuTimes() (service, database time.Duration, err error) {
	if service, err = processTime(r.service.pid()); err != nil {
		return 0, 0, err
	}

	database, err = processTime(r.database.PID())
	return service, database, err
}

// measureLoad runs a load against empty tables and notes its figures. Every request
// has to be answered with 201.
func (r *pass) measureLoad(ctx context.Context, name string, on *process, run func(context.Context, Target, func() time.Time) (*Result, error)) (*Result, error) {
	if err := r.truncateTables(ctx); err != nil {
		return nil, err
	}

	server, err := processTime(on.pid())
	if err != nil {
		return nil, err
	}

	database, err := processTime(r.database.PID())
	if err != nil {
		return nil, err
	}

	wal, err := r.walPosition(ctx)
	if err != nil {
		return nil, err
	}

	committed, err := r.nextTransactionID(ctx)
	if err != nil {
		return nil, err
	}

	profiled := r.startProfile(ctx, name, on)
	result, err := run(ctx, on.Target, r.options.Now)
	if err = errors.Join(err, profiled()); err != nil {
		return nil, err
	}

	if result.Failed > 0 {
		return nil, failedRequestsError(name, result.Failed)
	}

	server2, err := processTime(on.pid())
	if err != nil {
		return nil, err
	}

	database2, err := processTime(r.database.PID())
	if err != nil {
		return nil, err
	}

	wal2, err := r.walPosition(ctx)
	if err != nil {
		return nil, err
	}

	committed2, err := r.nextTransactionID(ctx)
	if err != nil {
		return nil, err
	}

	perEvent := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(result.Events) }
	r.recordFigure(name+": events/s", result.EventsPerSecond())
	r.recordFigure(name+": p50 ms", toMilliseconds(result.Quantile(0.5)))
	r.recordFigure(name+": p99 ms", toMilliseconds(result.Quantile(0.99)))
	r.recordFigure(name+": server CPU us/event", perEvent(server2-server))
	if on == r.service {
		r.recordFigure(name+": Postgres CPU us/event", perEvent(database2-database))
		r.recordFigure(name+": events/transaction", float64(result.Events)/float64(max(committed2-committed, 1)))
		r.recordFigure(name+": WAL bytes/event", float64(wal2-wal)/float64(result.Events))
	}

	return result, nil
}

func failedRequestsError(load string, requests int) error {
	return fmt.Errorf("%s: %d requests were not answered with 201", load, requests)
}

func toMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
