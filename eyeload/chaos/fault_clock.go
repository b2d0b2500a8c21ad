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

// retentionOn has the services look for what is expired more often than the shortest
// fault lasts: a clock that is ahead must not make anything so. Errors are kept for ever,
// since those of a service whose clock is behind by years are as old as it says.
func retentionOn() []string {
	return []string{
		"THEEYE_RETENTION_EVENTS=60d", "THEEYE_RETENTION_AUDIT=60d", "THEEYE_RETENTION_INTERVAL=2s",
	}
}

// drift is a step of a clock.
type drift struct {
	name string
	by   time.Duration
	// code is what good events may be refused for.
	code string
}

// drifts are the steps that a clock makes. The first is the worst: two years are more
// than events are kept for.
func drifts() []drift {
	const hour, day, years = time.Hour, 24 * time.Hour, 2 * 365 * 24 * time.Hour
	return []drift{
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
func stepClock(_ context.Context, s *site) (damage, error) {
	i := s.stepped
	if len(s.drifts) == 0 {
		s.drifts = drifts()
		others := s.drifts[1:]
		s.random.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	}
	d := s.drifts[0]
	s.drifts = s.drifts[1:]
	s.load.book.goAstray(i.url(), d.code, s.Now())
	i.clock.step(d.by)
	return damage{on: "service " + i.name + ", " + d.name, heal: func(context.Context) error {
		i.clock.step(0)
		s.load.book.straight(s.Now())
		return nil
	}}, nil
}

// prepareClock builds the service of which the clock can be stepped. Where that is not
// possible s.unsteppable says why; an error is a defect.
func (s *site) prepareClock(ctx context.Context) error {
	if len(s.Only) > 0 && !slices.Contains(s.Only, clockFault) {
		s.unsteppable = "it was not asked for"
		return nil
	}
	s.say("building %s with a clock that can be stepped, which takes minutes the first time", serviceCommand)
	dir := filepath.Join(s.dir, "clock")
	if err := os.Mkdir(dir, dirMode); err != nil {
		return fmt.Errorf("make a folder for the clock: %w", err)
	}
	program, err := buildStepped(ctx, s.Environ, s.Source, serviceCommand, dir)
	if errors.Is(err, errNoSource) {
		s.unsteppable = err.Error()
		s.say("the fault %q is left out: %v", clockFault, err)
		return nil
	}
	s.steppable = program
	return err
}

// giveClock gives a service a clock that can be stepped if it is the second: the first
// runs the program as it is.
func (s *site) giveClock(i *instance) (err error) {
	if s.steppable == "" || len(s.instances) != 1 {
		return nil
	}
	if i.clock, err = newClock(filepath.Join(s.dir, "clock", "offset")); err != nil {
		return err
	}
	i.program, i.environ, s.stepped = s.steppable, append(i.environ, i.clock.environ()), i
	return nil
}
