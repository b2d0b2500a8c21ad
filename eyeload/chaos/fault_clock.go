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
	// clockFault is the name of the fault that steps a clock.
	clockFault = "clock stepped"
	// serviceCommand is the folder of the service's command in its source.
	serviceCommand = "cmd/theeye"
)

// retentionSettings makes retention run more often than the shortest fault lasts: a clock that
// is ahead must not expire anything. Rejections are kept for ever, because those of a service
// whose clock is behind by years look years old.
func retentionSettings() []string {
	return []string{
		"THEEYE_RETENTION_EVENTS=60d", "THEEYE_RETENTION_AUDIT=60d", "THEEYE_RETENTION_INTERVAL=2s",
	}
}

// clockStep is a step of a clock.
type clockStep struct {
	name string
	by   time.Duration
	// code is the code with which the service may then reject good events.
	code string
}

// allClockSteps returns the steps that a clock makes. The first is the worst: two years are
// longer than the retention of events.
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

// The codes of the API for a wrong timestamp.
const (
	codeInFuture = "timestamp_in_future"
	codeTooOld   = "timestamp_too_old"
)

// stepClock sets the clock of a service wrong, and right again when it is reverted. Each step
// comes once before any is repeated, and the worst comes first.
func stepClock(_ context.Context, s *testbed) (injection, error) {
	i := s.steppedInstance
	if len(s.clockSteps) == 0 {
		s.clockSteps = allClockSteps()
		others := s.clockSteps[1:]
		s.random.Shuffle(len(others), func(i, j int) {
			others[i], others[j] = others[j], others[i]
		})
	}

	step := s.clockSteps[0]
	s.clockSteps = s.clockSteps[1:]
	s.generator.oracle.beginClockFault(i.url(), step.code, s.Now())
	i.clock.setOffset(step.by)

	return injection{
		target: "service " + i.name + ", " + step.name,
		revert: func(context.Context) error {
			i.clock.setOffset(0)
			s.generator.oracle.endClockFault(s.Now())
			return nil
		},
	}, nil
}

// prepareClock builds the service whose clock can be stepped. Where it cannot be built,
// s.clockUnavailable gives the reason; an error is a bug.
func (s *testbed) prepareClock(ctx context.Context) error {
	if len(s.Only) > 0 && !slices.Contains(s.Only, clockFault) {
		s.clockUnavailable = "it was not selected"
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

// attachClock gives the second service a clock that can be stepped. The first service runs the
// program unchanged.
func (s *testbed) attachClock(i *instance) (err error) {
	if s.steppableProgram == "" || len(s.instances) != 1 {
		return nil
	}

	if i.clock, err = newClock(filepath.Join(s.dir, "clock", "offset")); err != nil {
		return err
	}

	i.program = s.steppableProgram
	i.environ = append(i.environ, i.clock.environmentVariable())
	s.steppedInstance = i

	return nil
}
