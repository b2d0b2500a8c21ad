package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// observedPool is a pool and the labels of its metrics.
type observedPool struct {
	*pgxpool.Pool

	pool    metric.ObserveOption
	idle    metric.ObserveOption
	used    metric.ObserveOption
	opening metric.ObserveOption
}

func newObservedPool(name string, pool *pgxpool.Pool) observedPool {
	of := attribute.String("pool", name)
	state := func(value string) metric.ObserveOption {
		return metric.WithAttributeSet(attribute.NewSet(of, attribute.String("state", value)))
	}
	return observedPool{
		Pool:    pool,
		pool:    metric.WithAttributeSet(attribute.NewSet(of)),
		idle:    state("idle"),
		used:    state("used"),
		opening: state("opening"),
	}
}

// Observe registers the metrics of the pools with a meter. It is called once, and its callback
// may also run after Close.
func (db *DB) Observe(meter metric.Meter) error {
	pools := []observedPool{
		newObservedPool("write", db.write),
		newObservedPool("read", db.read),
		newObservedPool("change", db.change),
		newObservedPool("watch", db.watch),
	}

	var failed error
	counter := func(name, unit, about string) metric.Int64ObservableCounter {
		made, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(about))
		failed = errors.Join(failed, err)
		return made
	}

	gauge := func(name, unit, about string) metric.Int64ObservableGauge {
		made, err := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(about))
		failed = errors.Join(failed, err)
		return made
	}

	connections := gauge("theeye.database.pool.connections", "{connection}", "Connections of a pool by state: idle, used, or opening")
	limit := gauge("theeye.database.pool.max_connections", "{connection}", "Most connections of a pool")
	acquires := counter("theeye.database.pool.acquires", "{acquire}", "Connections acquired from a pool")
	empty := counter("theeye.database.pool.empty_acquires", "{acquire}", "Connections acquired after a wait because none was idle")
	canceled := counter("theeye.database.pool.canceled_acquires", "{acquire}", "Acquires that were given up while waiting for a connection")
	wait, err := meter.Float64ObservableCounter("theeye.database.pool.acquire_wait", metric.WithUnit("s"),
		metric.WithDescription("Time spent waiting for a connection because none was idle"))
	failed = errors.Join(failed, err)
	durable := gauge("theeye.database.durable", "", "Whether the database's settings keep acknowledged events through a crash and a failover: 1 or 0")
	unsafe := counter("theeye.database.unsafe_commits", "{commit}", "Commits that a crash or a failover could lose because of the database's settings")

	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(durable, db.durability.durableGauge())
		o.ObserveInt64(unsafe, db.durability.unsafeCommits.Load())
		for i := range pools {
			p := &pools[i]
			stat := p.Stat()
			o.ObserveInt64(connections, int64(stat.IdleConns()), p.idle)
			o.ObserveInt64(connections, int64(stat.AcquiredConns()), p.used)
			o.ObserveInt64(connections, int64(stat.ConstructingConns()), p.opening)
			o.ObserveInt64(limit, int64(stat.MaxConns()), p.pool)
			o.ObserveInt64(acquires, stat.AcquireCount(), p.pool)
			o.ObserveInt64(empty, stat.EmptyAcquireCount(), p.pool)
			o.ObserveInt64(canceled, stat.CanceledAcquireCount(), p.pool)
			o.ObserveFloat64(wait, stat.EmptyAcquireWaitTime().Seconds(), p.pool)
		}

		return nil
	}, connections, limit, acquires, empty, canceled, wait, durable, unsafe)
	if failed = errors.Join(failed, err); failed != nil {
		return fmt.Errorf("make an instrument: %w", failed)
	}

	return nil
}
