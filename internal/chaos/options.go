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
	// Rate is how many events a second are sent, whatever becomes of them.
	Rate int
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

func (d Deps) say(format string, arguments ...any) {
	fmt.Fprintf(d.Progress, format+"\n", arguments...) //nolint:errcheck // it is for people
}

func (o *Options) check() error {
	const fastest, most = 5000, 10_000
	switch {
	case o.Cycles < 1 || o.Cycles > most:
		return fmt.Errorf("%w: %d cycles: 1 to %d are possible", ErrOptions, o.Cycles, most)
	case o.Rate < 1 || o.Rate > fastest:
		return fmt.Errorf("%w: %d events a second: 1 to %d are possible", ErrOptions, o.Rate, fastest)
	}
	for _, name := range o.Only {
		if _, known := find(name); !known {
			return fmt.Errorf("%w: there is no fault %q", ErrOptions, name)
		}
	}
	return nil
}
