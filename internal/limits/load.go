package limits

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Target is where requests go.
type Target struct {
	// Address is host:port.
	Address string
	Key     string
}

// Result is what one load made of a target.
type Result struct {
	// Requests that were answered with 201, and the time from the first to the last
	// answer, on connections that were there.
	Requests int
	Events   int
	Took     time.Duration
	// Failed counts requests without a response or with another status.
	Failed int
	// latencies in ascending order.
	latencies []time.Duration
}

// EventsPerSecond is how many were stored a second.
func (r *Result) EventsPerSecond() float64 { return float64(r.Events) / r.Took.Seconds() }

// Quantile is the latency that a share of the requests did not exceed.
func (r *Result) Quantile(share float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(int(share*float64(len(r.latencies))), len(r.latencies)-1)]
}

// Closed is a load of clients that each send the next request when the one before
// it was answered.
type Closed struct {
	Workload

	Clients int
	For     time.Duration
}

// Run sends until the time is up. It fails when a connection breaks.
func (l Closed) Run(ctx context.Context, target Target, now func() time.Time) (*Result, error) {
	var failed atomic.Int64
	latencies := make([][]time.Duration, l.Clients)
	connections, err := dialAll(l.Clients, target, now().Add(l.For+patience))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.For)
	defer cancel()
	begin := now()
	err = each(connections, func(client int, c *connection) error {
		g := newGenerator(l.Workload, uint64(client), now) //nolint:gosec // not negative
		var request []byte
		for ctx.Err() == nil {
			request = g.appendRequest(request[:0], target.Address, target.Key)
			sent := now()
			status, err := c.roundTrip(request)
			if err != nil {
				return err
			}
			if status != http.StatusCreated {
				failed.Add(1)
				continue
			}
			latencies[client] = append(latencies[client], now().Sub(sent))
		}
		return nil
	})
	return newResult(latencies, l.Batch, now().Sub(begin), int(failed.Load())), err
}

// Open is a load at a constant rate, whatever the answers do. Latency counts from
// the moment at which a request was due, so that a stall is seen by all that it
// held up (no coordinated omission).
type Open struct {
	Workload

	// PerSecond counts requests.
	PerSecond   int
	Connections int
	For         time.Duration
}

// Run sends at the rate until the time is up.
func (l Open) Run(ctx context.Context, target Target, now func() time.Time) (*Result, error) {
	total := int(l.For.Seconds() * float64(l.PerSecond))
	due := make(chan time.Time, total) // a sender that is late never holds up the clock
	latencies := make([][]time.Duration, l.Connections)
	var failed atomic.Int64
	connections, err := dialAll(l.Connections, target, now().Add(l.For+patience))
	if err != nil {
		return nil, err
	}
	begin := now()
	var pacing sync.WaitGroup
	pacing.Go(func() {
		defer close(due)
		for i := range total {
			at := begin.Add(time.Duration(i) * time.Second / time.Duration(l.PerSecond))
			sleepUntil(at, now)
			if ctx.Err() != nil {
				return
			}
			due <- at
		}
	})
	err = each(connections, func(client int, c *connection) error {
		g := newGenerator(l.Workload, uint64(client), now) //nolint:gosec // not negative
		var request []byte
		for at := range due {
			request = g.appendRequest(request[:0], target.Address, target.Key)
			status, err := c.roundTrip(request)
			if err != nil {
				return err
			}
			if status != http.StatusCreated {
				failed.Add(1)
				continue
			}
			latencies[client] = append(latencies[client], now().Sub(at))
		}
		return nil
	})
	pacing.Wait()
	return newResult(latencies, l.Batch, now().Sub(begin), int(failed.Load())), err
}

// patience is how long after its end a load waits for answers.
const patience = 30 * time.Second

// dialAll makes n connections, which break at the deadline.
func dialAll(n int, target Target, deadline time.Time) ([]*connection, error) {
	connections := make([]*connection, 0, n)
	for range n {
		c, err := dial(target.Address)
		if err == nil {
			connections = append(connections, c)
			err = c.SetDeadline(deadline)
		}
		if err != nil {
			closeAll(connections)
			return nil, fmt.Errorf("connect: %w", err)
		}
	}
	return connections, nil
}

func closeAll(connections []*connection) {
	for _, c := range connections {
		c.Close() //nolint:errcheck // nothing is pending on it
	}
}

// each runs a client on each of the connections, and closes them.
func each(connections []*connection, run func(client int, c *connection) error) error {
	defer closeAll(connections)
	failures := make([]error, len(connections))
	var group sync.WaitGroup
	for client, c := range connections {
		group.Go(func() {
			if err := run(client, c); err != nil {
				failures[client] = fmt.Errorf("client %d: %w", client, err)
			}
		})
	}
	group.Wait()
	return errors.Join(failures...)
}

func newResult(latencies [][]time.Duration, batch int, took time.Duration, failed int) *Result {
	all := slices.Concat(latencies...)
	slices.Sort(all)
	return &Result{Requests: len(all), Events: len(all) * max(batch, 1), Took: took, Failed: failed, latencies: all}
}
