package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// clockFault is the fault that steps a clock.
	clockFault = "clock stepped"
	// serviceCommand is the service in its source.
	serviceCommand = "cmd/theeye"
)

// retentionSettings has the services look for what is expired more often than the shortest
// fault lasts: a clock that is ahead must not make anything so. Errors are kept for ever,
// since those of a service whose clock is behind by years are as old as it says.
func retentionSettings() []string {
	return []string{
		"THEEYE_RETENTION_EVENTS=60d", "THEEYE_RETENTION_AUDIT=60d", "THEEYE_RETENTION_INTERVAL=2s",
	}
}

// clockStep is a step of a clock.
type clockStep struct {
	name string
	by   time.Duration
	// code is what good events may be refused for.
	code string
}

// allClockSteps are the steps that a clock makes. The first is the worst: two years are more
// than events are kept for.
func allClockSteps() []clockStep {
	const hour, day, years = time.Hour, 24 * time.Hour, 2 * 365 * 24 * time.Hour
	return []clockStep{
		{"+2 years", years, codeTooOld},
		{"-2 years", -years, codeInFuture},
		{"+1 day", day, ""},
		{"-1 day", -day, codeInFuture},
		{"+1 hour", hour, ""},
		{"-1 hour", -hour, codeInFuture},
	}
}

// The codes of the API that tell a sender that a date is wrong.
const (
	codeInFuture = "timestamp_in_future"
	codeTooOld   = "timestamp_too_old"
)

// stepClock puts the clock of a service wrong, and right again. No step comes again
// before all have been, and the worst comes first.
func stepClock(_ context.Context, s *testbed) (injection, error) {
	i := s.steppedInstance
	if len(s.clockSteps) == 0 {
		s.clockSteps = allClockSteps()
		others := s.clockSteps[1:]
		s.random.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	}

	d := s.clockSteps[0]
	s.clockSteps = s.clockSteps[1:]
	s.generator.oracle.beginClockFault(i.url(), d.code, s.Now())
	i.clock.setOffset(d.by)
	return injection{target: "service " + i.name + ", " + d.name, revert: func(context.Context) error {
		i.clock.setOffset(0)
		s.generator.oracle.endClockFault(s.Now())
		return nil
	}}, nil
}

// prepareClock builds the service of which the clock can be stepped. Where that is not
// possible s.unsteppable says why; an error is a defect.
func (s *testbed) prepareClock(ctx context.Context) error {
	if len(s.Only) > 0 && !slices.Contains(s.Only, clockFault) {
		s.clockUnavailable = "it was not asked for"
		return nil
	}

	s.printProgress("building %s with a clock that can be stepped, which takes minutes the first time", serviceCommand)
	dir := filepath.Join(s.dir, "clock")
	if err := os.Mkdir(dir, dirMode); err != nil {
		return fmt.Errorf("make a folder for the clock: %w", err)
	}

	program, err := buildStepped(ctx, s.Environ, s.Source, serviceCommand, dir)
	if errors.Is(err, errNoSource) {
		s.clockUnavailable = err.Error()
		s.printProgress("the fault %q is left out: %v", clockFault, err)
		return nil
	}

	s.steppableProgram = program
	return err
}

// attachClock gives a service a clock that can be stepped if it is the second: the first
// runs the program as it is.
func (s *testbed) attachClock(i *instance) (err error) {
	if s.steppableProgram == "" || len(s.instances) != 1 {
		return nil
	}

	if i.clock, err = newClock(filepath.Join(s.dir, "clock", "offset")); err != nil {
		return err
	}

	i.program, i.environ, s.steppedInstance = s.steppableProgram, append(i.environ, i.clock.environmentVariable()), i
	return nil
}
