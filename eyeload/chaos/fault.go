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
	// least and most bound how long it lasts.
	least, most time.Duration
	// wide tells that it is worth more where events are sent in large batches.
	wide bool
	// inflict does it. What it returns says whom it hit, and undoes it.
	inflict func(ctx context.Context, s *site) (damage, error)
	// missing says why it cannot be inflicted on this machine; nil is never.
	missing func(s *site) string
}

// damage is a fault that was inflicted.
type damage struct {
	on   string
	heal func(ctx context.Context) error
}

// catalogue is every fault of a single server.
func catalogue() []fault {
	const blink, short, middle, long = 0, 3 * time.Second, 5 * time.Second, 12 * time.Second
	return []fault{
		{name: "service kill -9", least: blink, most: short, inflict: killService},
		{name: "both services kill -9", least: blink, most: short, inflict: killServices},
		{name: "service SIGTERM", least: blink, most: short, inflict: stopService},
		{name: "service SIGSTOP", least: middle, most: long, inflict: freezeService},
		{name: "postgres kill -9", least: blink, most: short, inflict: killPostgres},
		{name: "postgres fast restart", least: blink, most: short, inflict: restartPostgres},
		{name: "postgres immediate restart", least: blink, most: short, inflict: quitPostgres},
		{name: "postgres SIGSTOP", least: middle, most: long, inflict: freezePostgres},
		{name: "backends terminated", least: short, most: middle, inflict: terminateBackends},
		{name: "backend kill -9", least: blink, most: short, inflict: killBackend},
		{name: "read-only primary", least: short, most: middle, inflict: readOnly},
		{name: "connections dropped", least: short, most: middle, inflict: dropConnections},
		{name: "wire black-holed", least: middle, most: long, inflict: blackHole},
		{name: "wire +200 ms", least: middle, most: long, inflict: slowWire(200 * time.Millisecond)}, //nolint:mnd // it says so
		{name: "wire +5 s", least: middle, most: long, inflict: slowWire(5 * time.Second)},           //nolint:mnd // it says so
		{name: "session rows locked", least: short, most: middle, inflict: lockRows},
		// Longer than the budget of a request, so that one part of it fails.
		{name: "a session locked", least: middle + time.Second, most: middle + short, wide: true, inflict: lockSession},
		{name: "connection slots taken", least: short, most: middle, inflict: takeSlots},
		{name: "deadlock pressure", least: short, most: middle, inflict: deadlocks},
		{name: "duplicate storm", least: short, most: middle, inflict: duplicates},
		{name: clockFault, least: short, most: middle, inflict: stepClock, missing: func(s *site) string {
			if s.stepped == nil {
				return s.unsteppable
			}
			return ""
		}},
		{name: "disk full", least: short, most: middle, inflict: fillDisk, missing: func(s *site) string {
			if s.disk == nil {
				return "no small disk could be mounted, which takes root on Linux"
			}
			return ""
		}},
	}
}

// leftOut says of what is in no catalogue why.
func leftOut() map[string]string {
	return map[string]string{
		"disk of the write-ahead log full": "Postgres stops itself then, as it does for the faults that kill it, and comes back when there is space",
	}
}

// Faults names every fault there is.
func Faults() []string {
	all := slices.Concat(catalogue(), pairFaults())
	names := make([]string, len(all))
	for i, f := range all {
		names[i] = f.name
	}
	return names
}

func find(name string) (fault, bool) {
	for _, f := range slices.Concat(catalogue(), pairFaults()) {
		if f.name == name {
			return f, true
		}
	}
	return fault{}, false
}

// deck deals faults: all of them in a random order, and then all of them again.
type deck struct {
	all, left []fault
	random    *rand.Rand
}

// asked returns those of the faults that are named; no name is all of them.
func asked(faults []fault, only []string) []fault {
	if len(only) == 0 {
		return faults
	}
	return slices.DeleteFunc(faults, func(f fault) bool { return !slices.Contains(only, f.name) })
}

// newDeck makes a deck of those faults that can be inflicted, and says why of the rest.
func newDeck(s *site, faults []fault, skipped map[string]string) *deck {
	d := &deck{random: rand.New(rand.NewPCG(s.Seed, 3))} //nolint:gosec // it has to give the same again
	for _, f := range faults {
		if f.missing != nil {
			if why := f.missing(s); why != "" {
				skipped[f.name] = why
				continue
			}
		}
		d.all = append(d.all, f)
	}
	return d
}

func (d *deck) deal() fault {
	if len(d.left) == 0 {
		d.left = append(d.left, d.all...)
		d.random.Shuffle(len(d.left), func(i, j int) { d.left[i], d.left[j] = d.left[j], d.left[i] })
	}
	f := d.left[0]
	d.left = d.left[1:]
	return f
}

// alternate tells whether the events of a cycle are sent in large batches: those of every
// other one are, and each fault meets the other kind of traffic in the next round.
func (d *deck) alternate(number int) bool {
	if n := len(d.all); n%2 == 0 {
		number += number / n
	}
	return number%2 == 1
}

// lasts draws how long a fault lasts.
func (f fault) lasts(random *rand.Rand) time.Duration {
	return f.least + time.Duration(random.Int64N(int64(f.most-f.least)+1))
}
