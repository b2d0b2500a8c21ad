package limits

import (
	"context"
	"fmt"
)

// measureGrowth measures how the rate depends on the number of clients, the size of an event
// and the number of sessions.
func (r *pass) measureGrowth(ctx context.Context) error {
	single := func(clients, sessions, payload int) Closed {
		return Closed{
			Workload: Workload{Batch: 1, Sessions: sessions, Payload: payload},
			Clients:  clients,
			For:      r.options.For,
		}
	}

	batch := func(sessions, payload int) Closed {
		return Closed{
			Workload: Workload{Batch: batchEvents, Sessions: sessions, Payload: payload},
			Clients:  batchClients,
			For:      r.options.For,
		}
	}

	loads := map[string]Closed{}
	var names []string
	add := func(name string, load Closed) {
		names = append(names, name)
		loads[name] = load
	}

	for _, clients := range []int{1, 16, 64, 256, 1024} {
		add(fmt.Sprintf("growth, single events, %d clients", clients), single(clients, spreadSessions, 0))
	}

	for _, payload := range []int{1000, 4000} { //nolint:mnd // bytes
		add(fmt.Sprintf("growth, single events, payload of %d bytes", payload), single(singleClients, spreadSessions, payload))
		add(fmt.Sprintf("growth, batches of 100, payload of %d bytes", payload), batch(spreadSessions, payload))
	}

	for _, sessions := range []int{100, 10_000, 1_000_000} {
		add(fmt.Sprintf("growth, batches of 100, %d sessions", sessions), batch(sessions, 0))
	}

	for _, name := range names {
		if _, err := r.measureLoad(ctx, name, r.service, loads[name].Run); err != nil {
			return err
		}
	}

	return nil
}
