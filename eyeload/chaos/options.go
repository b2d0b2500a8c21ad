package chaos

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrOptions says that the options cannot be used.
var ErrOptions = errors.New("cannot run")

// Options are the settings of a run.
type Options struct {
	// Service is the program under test.
	Service string
	// Source is the folder of the module from which Service was built. One service is built
	// from it again, with a clock that can be stepped.
	Source string
	// Environ is the environment of the services.
	Environ []string
	// Seed decides the events, the order of the faults and their targets.
	Seed uint64
	// Cycles is the number of faults, which are injected one after another.
	Cycles int
	// Rate is the number of events that are sent a second, whatever the answers. WideRate is
	// the number in the cycles with large batches; it is high enough for the services to divide
	// groups among their lanes.
	Rate, WideRate int
	// Only names the faults to draw from; empty stands for all.
	Only []string
	// Dir is the folder for the reports and the logs of the services.
	Dir string
}

// Deps are the dependencies of a run.
type Deps struct {
	// Now is the clock.
	Now func() time.Time
	// Progress gets a line for every cycle.
	Progress io.Writer
}

func (d Deps) printProgress(format string, arguments ...any) {
	fmt.Fprintf(d.Progress, format+"\n", arguments...) //nolint:errcheck // progress for a person
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
