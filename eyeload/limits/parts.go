package limits

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The numbers of clients of the loads. With requests of a hundred events, fewer clients keep
// the machine busy; with many, the groups are larger.
const (
	singleClients    = 256
	batchClients     = 16
	manyBatchClients = 64
	batchEvents      = 100
	openClients      = 64
)

// measureCopy measures Postgres alone.
func (r *pass) measureCopy(ctx context.Context) error {
	best := 0.0
	for _, connections := range []int{1, 2, 4} {
		if err := r.truncateTables(ctx); err != nil {
			return err
		}

		rate, err := copyLimit(ctx, r.pool, connections, r.options.For, r.options.Now)
		if err != nil {
			return err
		}

		r.recordFigure(fmt.Sprintf("bare COPY with ledger, %d connections: rows/s", connections), rate)
		best = max(best, rate)
	}

	r.bestCopy = best

	return nil
}

// measureSingleEvents measures single events, next to the server without a store.
func (r *pass) measureSingleEvents(ctx context.Context) error {
	load := Closed{Workload: Workload{Batch: 1, Sessions: spreadSessions}, Clients: singleClients, For: r.options.For}
	baseline, err := r.startBaseline(ctx)
	if err != nil {
		return err
	}

	limit, err := r.measureLoad(ctx, "Gin that stores nothing, 256 clients", baseline, load.Run)
	if err = errors.Join(err, baseline.stop()); err != nil {
		return err
	}

	reached, err := r.measureLoad(ctx, "single events, 256 clients", r.service, load.Run)
	if err != nil {
		return err
	}

	r.recordFigure(ratioSingle, reached.EventsPerSecond()/limit.EventsPerSecond())
	r.singleRate = reached.EventsPerSecond()

	return nil
}

// measureBatches measures requests of a hundred events.
func (r *pass) measureBatches(ctx context.Context) error {
	for _, clients := range []int{batchClients, manyBatchClients} {
		load := Closed{Workload: Workload{Batch: batchEvents, Sessions: spreadSessions}, Clients: clients, For: r.options.For}
		name := fmt.Sprintf("batches of 100, %d clients", clients)
		reached, err := r.measureLoad(ctx, name, r.service, load.Run)
		if err != nil {
			return err
		}

		if r.bestCopy > 0 {
			r.recordFigure(name+ratioToCopy, reached.EventsPerSecond()/r.bestCopy)
		}

		if clients == batchClients {
			r.batchRate = reached.EventsPerSecond()
		}
	}

	return nil
}

// measureHotSession measures single events and batches with all events in one session.
func (r *pass) measureHotSession(ctx context.Context) error {
	single := Closed{Workload: Workload{Batch: 1, Sessions: 1}, Clients: singleClients, For: r.options.For}
	reached, err := r.measureLoad(ctx, "hot session, single events, 256 clients", r.service, single.Run)
	if err != nil {
		return err
	}

	if r.singleRate > 0 {
		r.recordFigure(ratioHotSingle, reached.EventsPerSecond()/r.singleRate)
	}

	batch := Closed{Workload: Workload{Batch: batchEvents, Sessions: 1}, Clients: batchClients, For: r.options.For}
	if reached, err = r.measureLoad(ctx, "hot session, batches of 100, 16 clients", r.service, batch.Run); err != nil {
		return err
	}

	if r.batchRate > 0 {
		r.recordFigure(ratioHotBatch, reached.EventsPerSecond()/r.batchRate)
	}

	return nil
}

// measureLatency measures single events at rates far below the limit.
func (r *pass) measureLatency(ctx context.Context) error {
	for _, rate := range []int{100, 1000, 5000} {
		load := Open{
			Workload:    Workload{Batch: 1, Sessions: spreadSessions},
			PerSecond:   rate,
			Connections: openClients,
			For:         r.options.For,
		}
		if _, err := r.measureLoad(ctx, fmt.Sprintf("%d requests/s", rate), r.service, load.Run); err != nil {
			return err
		}
	}

	resident, err := residentBytes(r.service.pid())
	if err != nil {
		return err
	}

	r.recordFigure(residentAt5000, float64(resident)/(1<<20))

	return nil
}

// measureIdle measures the CPU time that the service and Postgres use without traffic.
func (r *pass) measureIdle(ctx context.Context) error {
	if err := r.truncateTables(ctx); err != nil {
		return err
	}

	const settle, during = 10 * time.Second, time.Minute
	sleepUntil(r.options.Now().Add(settle), r.options.Now)
	service, database, err := r.cpuTimes()
	if err != nil {
		return err
	}

	begin := r.options.Now()
	sleepUntil(begin.Add(during), r.options.Now)
	service2, database2, err := r.cpuTimes()
	if err != nil {
		return err
	}

	took := r.options.Now().Sub(begin)
	r.recordFigure("idle: % of a core, service", 100*float64(service2-service)/float64(took))
	r.recordFigure("idle: % of a core, Postgres", 100*float64(database2-database)/float64(took))
	r.recordFigure(idleCPU, 100*float64(service2-service+database2-database)/float64(took))

	return nil
}
