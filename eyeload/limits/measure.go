package limits

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// cpuTimes returns the CPU time that the service and Postgres have used.
func (r *pass) cpuTimes() (service, database time.Duration, err error) {
	if service, err = processTime(r.service.pid()); err != nil {
		return 0, 0, err
	}

	database, err = processTime(r.database.PID())

	return service, database, err
}

// usage is what a server and Postgres have used until a moment.
type usage struct {
	server       time.Duration // CPU time
	database     time.Duration // CPU time
	walBytes     int64
	transactions int64
}

// readUsage reads the use of a server and of Postgres until now.
func (r *pass) readUsage(ctx context.Context, on *process) (u usage, err error) {
	if u.server, err = processTime(on.pid()); err != nil {
		return u, err
	}

	if u.database, err = processTime(r.database.PID()); err != nil {
		return u, err
	}

	if u.walBytes, err = r.walPosition(ctx); err != nil {
		return u, err
	}

	u.transactions, err = r.nextTransactionID(ctx)

	return u, err
}

// measureLoad runs a load against empty tables and records its figures. Every request has to
// be answered with 201.
func (r *pass) measureLoad(ctx context.Context, name string, on *process, run func(context.Context, Target, func() time.Time) (*Result, error)) (*Result, error) {
	if err := r.truncateTables(ctx); err != nil {
		return nil, err
	}

	before, err := r.readUsage(ctx, on)
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

	after, err := r.readUsage(ctx, on)
	if err != nil {
		return nil, err
	}

	r.recordLoad(name, result, on == r.service, before, after)

	return result, nil
}

// recordLoad records the figures of a load. Only the service uses Postgres.
func (r *pass) recordLoad(name string, result *Result, isService bool, before, after usage) {
	events := float64(result.Events)
	perEvent := func(d time.Duration) float64 { return float64(d.Microseconds()) / events }

	r.recordFigure(name+": events/s", result.EventsPerSecond())
	r.recordFigure(name+": p50 ms", toMilliseconds(result.Quantile(0.5)))
	r.recordFigure(name+": p99 ms", toMilliseconds(result.Quantile(0.99)))
	r.recordFigure(name+": server CPU us/event", perEvent(after.server-before.server))
	if isService {
		r.recordFigure(name+": Postgres CPU us/event", perEvent(after.database-before.database))
		r.recordFigure(name+": events/transaction", events/float64(max(after.transactions-before.transactions, 1)))
		r.recordFigure(name+": WAL bytes/event", float64(after.walBytes-before.walBytes)/events)
	}
}

func failedRequestsError(load string, requests int) error {
	return fmt.Errorf("%s: %d requests were not answered with 201", load, requests)
}

func toMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
