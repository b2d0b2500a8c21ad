package limits

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Target is the server that gets the requests.
type Target struct {
	// Address is host:port.
	Address string
	Key     string
}

// Result is the result of one load.
type Result struct {
	// Requests is the number of requests that were answered with 201, Events the number of
	// their events, and Took the time from the first to the last answer, without connecting.
	Requests int
	Events   int
	Took     time.Duration
	// Failed counts requests without a response or with another status.
	Failed int
	// latencies in ascending order.
	latencies []time.Duration
}

// EventsPerSecond returns the rate of stored events.
func (r *Result) EventsPerSecond() float64 { return float64(r.Events) / r.Took.Seconds() }

// Quantile returns the latency that a share of the requests did not exceed.
func (r *Result) Quantile(share float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}

	return r.latencies[min(int(share*float64(len(r.latencies))), len(r.latencies)-1)]
}

// Closed is a load of clients that each send a request when the one before is answered.
type Closed struct {
	Workload

	Clients int
	For     time.Duration
}

// Run sends until the time is up. It fails when a connection breaks.
func (l Closed) Run(ctx context.Context, target Target, now func() time.Time) (*Result, error) {
	senders := make([]*sender, l.Clients)
	connections, err := dialAll(l.Clients, target, now().Add(l.For+patience))
	if err != nil {
		return nil, err
	}

	ctx, cancel := context.WithTimeout(ctx, l.For)
	defer cancel()

	begin := now()
	err = runClients(connections, func(client int, c *connection) error {
		s := newSender(l.Workload, client, c, target, now)
		senders[client] = s
		for ctx.Err() == nil {
			if err := s.sendRequest(time.Time{}); err != nil {
				return err
			}
		}

		return nil
	})

	return newResult(senders, l.Batch, now().Sub(begin)), err
}

// Open is a load at a constant rate that does not depend on the answers. Latency counts from
// the moment at which a request was due, so that a stall affects the latency of all requests
// that it delayed (no coordinated omission).
type Open struct {
	Workload

	// PerSecond is in requests.
	PerSecond   int
	Connections int
	For         time.Duration
}

// Run sends at the rate until the time is up.
func (l Open) Run(ctx context.Context, target Target, now func() time.Time) (*Result, error) {
	total := int(l.For.Seconds() * float64(l.PerSecond))
	due := make(chan time.Time, total) // a late sender never delays the clock
	senders := make([]*sender, l.Connections)
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

	err = runClients(connections, func(client int, c *connection) error {
		s := newSender(l.Workload, client, c, target, now)
		senders[client] = s
		for at := range due {
			if err := s.sendRequest(at); err != nil {
				return err
			}
		}

		return nil
	})

	pacing.Wait()

	return newResult(senders, l.Batch, now().Sub(begin)), err
}

// patience is how long after its end a load waits for answers.
const patience = 30 * time.Second

// dialAll opens n connections, which fail after the deadline.
func dialAll(n int, target Target, deadline time.Time) ([]*connection, error) {
	connections := make([]*connection, 0, n)
	for range n {
		c, err := dialConnection(target.Address)
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
		c.Close() //nolint:errcheck // nothing is pending
	}
}

// runClients runs a client on each connection, and closes the connections.
func runClients(connections []*connection, run func(client int, c *connection) error) error {
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

// sender is one client: it makes and sends requests, and records the latencies of the answers.
type sender struct {
	*generator
	*connection

	target    Target
	request   []byte
	failed    int
	latencies []time.Duration
}

func newSender(load Workload, client int, c *connection, target Target, now func() time.Time) *sender {
	return &sender{
		generator:  newGenerator(load, uint64(client), now), //nolint:gosec // not negative
		connection: c,
		target:     target,
	}
}

// sendRequest sends one request. Its latency counts from due; if due is zero, from now.
func (s *sender) sendRequest(due time.Time) error {
	s.request = s.appendRequest(s.request[:0], s.target.Address, s.target.Key)
	if due.IsZero() {
		due = s.now()
	}

	status, err := s.roundTrip(s.request)
	switch {
	case err != nil:
		return err
	case status != http.StatusCreated:
		s.failed++
	default:
		s.latencies = append(s.latencies, s.now().Sub(due))
	}

	return nil
}

func newResult(senders []*sender, batch int, took time.Duration) *Result {
	r := &Result{Took: took}
	for _, s := range senders {
		if s != nil { // it had a connection
			r.latencies = append(r.latencies, s.latencies...)
			r.Failed += s.failed
		}
	}

	slices.Sort(r.latencies)
	r.Requests = len(r.latencies)
	r.Events = r.Requests * max(batch, 1)

	return r
}
