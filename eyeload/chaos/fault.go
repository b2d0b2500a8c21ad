package chaos

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// fault is a disturbance of the testbed that can be injected and reverted.
type fault struct {
	name string
	// minDuration and maxDuration bound how long the fault lasts.
	minDuration, maxDuration time.Duration
	// wide is true when the fault finds more with large batches.
	wide bool
	// inject injects the fault. The injection names the target and reverts the fault.
	inject func(ctx context.Context, s *testbed) (injection, error)
	// unavailable returns the reason why the fault cannot be injected on this machine, or "".
	// nil means that it always can be.
	unavailable func(s *testbed) string
}

// injection is a fault that was injected.
type injection struct {
	target string
	revert func(ctx context.Context) error
}

// singleServerFaults returns the faults that need one server only.
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
		{name: "wire +200 ms", minDuration: middle, maxDuration: long, inject: delayProxies(200 * time.Millisecond)}, //nolint:mnd // as the name says
		{name: "wire +5 s", minDuration: middle, maxDuration: long, inject: delayProxies(5 * time.Second)},           //nolint:mnd // as the name says
		{name: "session rows locked", minDuration: short, maxDuration: middle, inject: lockRows},
		// Longer than the budget of a request, so that a part of its events fails.
		{
			name:        "a session locked",
			minDuration: middle + time.Second,
			maxDuration: middle + short,
			wide:        true,
			inject:      lockSession,
		},
		{name: "connection slots taken", minDuration: short, maxDuration: middle, inject: exhaustConnections},
		{name: "deadlock pressure", minDuration: short, maxDuration: middle, inject: provokeDeadlocks},
		{name: "duplicate storm", minDuration: short, maxDuration: middle, inject: sendDuplicates},
		{
			name:        clockFault,
			minDuration: short,
			maxDuration: middle,
			inject:      stepClock,
			unavailable: func(s *testbed) string {
				if s.steppedInstance == nil {
					return s.clockUnavailable
				}

				return ""
			},
		},
		{
			name:        "disk full",
			minDuration: short,
			maxDuration: middle,
			inject:      fillDisk,
			unavailable: func(s *testbed) string {
				if s.disk == nil {
					return "no small disk could be mounted, which needs root on Linux"
				}

				return ""
			},
		},
	}
}

// omittedFaults returns the reasons why some faults are never injected.
func omittedFaults() map[string]string {
	return map[string]string{
		"disk of the write-ahead log full": "Postgres stops itself then, as it does for the faults that kill it, and comes back when there is space",
	}
}

// FaultNames returns the names of all faults.
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

// faultSchedule orders the faults: all of them in a random order, then all of them again in
// another.
type faultSchedule struct {
	all, remaining []fault
	random         *rand.Rand
}

// selectFaults returns the faults with these names; no names select all faults.
func selectFaults(faults []fault, only []string) []fault {
	if len(only) == 0 {
		return faults
	}

	return slices.DeleteFunc(faults, func(f fault) bool { return !slices.Contains(only, f.name) })
}

// newFaultSchedule makes a schedule of the faults that can be injected, and adds the reasons
// for the others to skipped.
func newFaultSchedule(s *testbed, faults []fault, skipped map[string]string) *faultSchedule {
	schedule := &faultSchedule{random: rand.New(rand.NewPCG(s.Seed, 3))} //nolint:gosec // has to be reproducible
	for _, f := range faults {
		if f.unavailable != nil {
			if why := f.unavailable(s); why != "" {
				skipped[f.name] = why
				continue
			}
		}

		schedule.all = append(schedule.all, f)
	}

	return schedule
}

func (s *faultSchedule) nextFault() fault {
	if len(s.remaining) == 0 {
		s.remaining = append(s.remaining, s.all...)
		s.random.Shuffle(len(s.remaining), func(i, j int) {
			s.remaining[i], s.remaining[j] = s.remaining[j], s.remaining[i]
		})
	}

	f := s.remaining[0]
	s.remaining = s.remaining[1:]

	return f
}

// isWideCycle reports whether a cycle sends large batches. Every second cycle does, and in the
// next round each fault meets the other kind of traffic.
func (s *faultSchedule) isWideCycle(number int) bool {
	if n := len(s.all); n%2 == 0 {
		number += number / n
	}

	return number%2 == 1
}

// drawDuration draws the duration of a fault.
func (f fault) drawDuration(random *rand.Rand) time.Duration {
	return f.minDuration + time.Duration(random.Int64N(int64(f.maxDuration-f.minDuration)+1))
}
