package chaos

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// fault is something that is done to the site, and undone.
type fault struct {
	name string
	// minDuration and most bound how long it lasts.
	minDuration, maxDuration time.Duration
	// wide tells that it is worth more where events are sent in large batches.
	wide bool
	// inject does it. What it returns says whom it hit, and undoes it.
	inject func(ctx context.Context, s *testbed) (injection, error)
	// unavailable says why it cannot be inflicted on this machine; nil is never.
	unavailable func(s *testbed) string
}

// injection is a fault that was inflicted.
type injection struct {
	target string
	revert func(ctx context.Context) error
}

// singleServerFaults is every fault of a single server.
func singleServerFaults() []fault {
	const blink, short, middle, long = 0, 3 * time.Second, 5 * time.Second, 12 * time.Second
	return []fault{
		{name: "service kill -9", minDuration: blink, maxDuration: short, inject: killService},
		{name: "both services kill -9", minDuration: blink, maxDuration: short, inject: killServices},
		{name: "service SIGTERM", minDuration: blink, maxDuration: short, inject: stopService},
		{name: "service SIGSTOP", minDuration: middle, maxDuration: long, inject: freezeService},
		{name: "postgres kill -9", minDuration: blink, maxDuration: short, inject: killPostgres},
		{name: "postgres fast restart", minDuration: blink, maxDuration: short, inject: restartPostgres},
		{name: "postgres immediate restart", minDuration: blink, maxDuration: short, inject: stopPostgresAtOnce},
		{name: "postgres SIGSTOP", minDuration: middle, maxDuration: long, inject: freezePostgres},
		{name: "backends terminated", minDuration: short, maxDuration: middle, inject: terminateBackends},
		{name: "backend kill -9", minDuration: blink, maxDuration: short, inject: killBackend},
		{name: "read-only primary", minDuration: short, maxDuration: middle, inject: makeReadOnly},
		{name: "connections dropped", minDuration: short, maxDuration: middle, inject: dropConnections},
		{name: "wire black-holed", minDuration: middle, maxDuration: long, inject: blackHoleProxies},
		{name: "wire +200 ms", minDuration: middle, maxDuration: long, inject: delayProxies(200 * time.Millisecond)}, //nolint:mnd // it says so
		{name: "wire +5 s", minDuration: middle, maxDuration: long, inject: delayProxies(5 * time.Second)},           //nolint:mnd // it says so
		{name: "session rows locked", minDuration: short, maxDuration: middle, inject: lockRows},
		// Longer than the budget of a request, so that one part of it fails.
		{name: "a session locked", minDuration: middle + time.Second, maxDuration: middle + short, wide: true, inject: lockSession},
		{name: "connection slots taken", minDuration: short, maxDuration: middle, inject: exhaustConnections},
		{name: "deadlock pressure", minDuration: short, maxDuration: middle, inject: provokeDeadlocks},
		{name: "duplicate storm", minDuration: short, maxDuration: middle, inject: sendDuplicates},
		{name: clockFault, minDuration: short, maxDuration: middle, inject: stepClock, unavailable: func(s *testbed) string {
			if s.steppedInstance == nil {
				return s.clockUnavailable
			}

			return ""
		}},
		{name: "disk full", minDuration: short, maxDuration: middle, inject: fillDisk, unavailable: func(s *testbed) string {
			if s.disk == nil {
				return "no small disk could be mounted, which takes root on Linux"
			}

			return ""
		}},
	}
}

// omittedFaults says of what is in no catalogue why.
func omittedFaults() map[string]string {
	return map[string]string{
		"disk of the write-ahead log full": "Postgres stops itself then, as it does for the faults that kill it, and comes back when there is space",
	}
}

// FaultNames names every fault there is.
func FaultNames() []string {
	all := slices.Concat(singleServerFaults(), pairFaults())
	names := make([]string, len(all))
	for i, f := range all {
		names[i] = f.name
	}

	return names
}

func findFault(name string) (fault, bool) {
	for _, f := range slices.Concat(singleServerFaults(), pairFaults()) {
		if f.name == name {
			return f, true
		}
	}

	return fault{}, false
}

// faultSchedule deals faults: all of them in a random order, and then all of them again.
type faultSchedule struct {
	all, remaining []fault
	random         *rand.Rand
}

// selectFaults returns those of the faults that are named; no name is all of them.
func selectFaults(faults []fault, only []string) []fault {
	if len(only) == 0 {
		return faults
	}

	return slices.DeleteFunc(faults, func(f fault) bool { return !slices.Contains(only, f.name) })
}

// newFaultSchedule makes a deck of those faults that can be inflicted, and says why of the rest.
func newFaultSchedule(s *testbed, faults []fault, skipped map[string]string) *faultSchedule {
	d := &faultSchedule{random: rand.New(rand.NewPCG(s.Seed, 3))} //nolint:gosec // it has to give the same again
	for _, f := range faults {
		if f.unavailable != nil {
			if why := f.unavailable(s); why != "" {
				skipped[f.name] = why
				continue
			}
		}

		d.all = append(d.all, f)
	}

	return d
}

func (d *faultSchedule) nextFault() fault {
	if len(d.remaining) == 0 {
		d.remaining = append(d.remaining, d.all...)
		d.random.Shuffle(len(d.remaining), func(i, j int) { d.remaining[i], d.remaining[j] = d.remaining[j], d.remaining[i] })
	}

	f := d.remaining[0]
	d.remaining = d.remaining[1:]
	return f
}

// isWideCycle tells whether the events of a cycle are sent in large batches: those of every
// other one are, and each fault meets the other kind of traffic in the next round.
func (d *faultSchedule) isWideCycle(number int) bool {
	if n := len(d.all); n%2 == 0 {
		number += number / n
	}

	return number%2 == 1
}

// drawDuration draws how long a fault lasts.
func (f fault) drawDuration(random *rand.Rand) time.Duration {
	return f.minDuration + time.Duration(random.Int64N(int64(f.maxDuration-f.minDuration)+1))
}
