package chaos

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrOptions marks options that cannot be used.
var ErrOptions = errors.New("cannot run")

// Options are what a run does.
type Options struct {
	// Service is the program that is put to the test.
	Service string
	// Source is the folder of the module that Service was built from. One service is built
	// from it again, with a clock that can be stepped.
	Source string
	// Environ is the environment of the services.
	Environ []string
	// Seed decides on the contents, the order of the faults and whom they hit.
	Seed uint64
	// Cycles is how many faults are inflicted, one after the other.
	Cycles int
	// Rate is how many events a second are sent, whatever becomes of them, and WideRate how
	// many in the cycles that send large batches, as many as make the services share what
	// they commit out among their lanes.
	Rate, WideRate int
	// Only names the faults to draw from; empty takes them all.
	Only []string
	// Dir keeps the reports and the logs of the services.
	Dir string
}

// Deps are what a run works with.
type Deps struct {
	// Now is the clock.
	Now func() time.Time
	// Progress hears of every cycle.
	Progress io.Writer
}

func (d Deps) printProgress(format string, arguments ...any) {
	fmt.Fprintf(d.Progress, format+"\n", arguments...) //nolint:errcheck // it is for people
}

func (o *Options) validate() error {
	const fastest, most = 10_000, 10_000
	switch {
	case o.Cycles < 1 || o.Cycles > most:
		return fmt.Errorf("%w: %d cycles: 1 to %d are possible", ErrOptions, o.Cycles, most)
	case min(o.Rate, o.WideRate) < 1 || max(o.Rate, o.WideRate) > fastest:
		return fmt.Errorf("%w: %d or %d events a second: 1 to %d are possible", ErrOptions, o.Rate, o.WideRate, fastest)
	}

	for _, name := range o.Only {
		if _, known := findFault(name); !known {
			return fmt.Errorf("%w: there is no fault %q", ErrOptions, name)
		}
	}

	return nil
}
