package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/term"
)

// Options are the flags of the command.
type Options struct {
	Ops      []string      // URLs of ops ports, one for each replica; 64 at most
	Interval time.Duration // between two readings, from MinInterval to MaxInterval
	Once     bool          // print one snapshot as plain text and exit
	JSON     bool          // print the snapshot as JSON; needs Once
	Colour   bool          // whether the terminal may be coloured
}

// Deps are the dependencies of the view.
type Deps struct {
	Client *http.Client                         // without a timeout: each round has its own
	Now    func() time.Time                     // the time of an answer
	After  func(time.Duration) <-chan time.Time // waits for the next round
	Out    io.Writer                            // the terminal, or a pipe
	In     io.Reader                            // keys; nil is standard input
}

// ErrUnreachable means that no replica answered for a snapshot.
var ErrUnreachable = errors.New("no replica can be reached")

// Validate checks the options.
func (o Options) Validate() error {
	if o.Interval < MinInterval || o.Interval > MaxInterval {
		return fmt.Errorf("the interval must be between %v and %v, not %v", MinInterval, MaxInterval, o.Interval)
	}

	_, err := parseTargets(o.Ops)
	return err
}

// IsInteractive reports whether out is a terminal, which can show the live view.
func IsInteractive(out io.Writer) bool {
	file, ok := out.(term.File)
	return ok && term.IsTerminal(file.Fd())
}

// Run shows the replicas until the user or the context ends it, which is not an error; or
// with Options.Once prints them after one interval. Only a snapshot fails because no
// replica could be reached, with ErrUnreachable.
func Run(ctx context.Context, o Options, d Deps) error {
	if err := o.Validate(); err != nil {
		return err
	}

	targets, err := parseTargets(o.Ops)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	round := func() []reading { return readReplicas(ctx, d, targets, timeoutFor(o.Interval)) }
	wait := func() bool {
		select {
		case <-d.After(o.Interval):
			return true
		case <-ctx.Done():
			return false
		}
	}
	if o.Once {
		if err := printSnapshot(d.Out, o.JSON, round, wait); err != nil {
			return err
		}

		return ctx.Err()
	}

	options := []tea.ProgramOption{
		tea.WithContext(ctx),
		tea.WithOutput(d.Out),
		tea.WithoutSignalHandler(),
		tea.WithWindowSize(usualWidth, usualHeight),
	}
	if d.In != nil {
		options = append(options, tea.WithInput(d.In))
	}

	_, err = tea.NewProgram(newModel(targets, round, wait, newPalette(o.Colour)), options...).Run()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("show the view: %w", err)
	}

	return nil
}

// printSnapshot prints the numbers of two rounds. It fails if no replica answers in one.
func printSnapshot(out io.Writer, inJSON bool, round func() []reading, wait func() bool) error {
	const width = 100
	t := newTracker()
	if t.addRound(round()); len(t.reachedSamples()) == 0 {
		return t.unreachableError()
	}

	if !wait() {
		return nil
	}

	if t.addRound(round()); len(t.reachedSamples()) == 0 {
		return t.unreachableError()
	}

	if inJSON {
		return writeJSON(out, t.computeNumbers())
	}

	if _, err := io.WriteString(out, renderEverything(t.computeNumbers(), width)); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

// unreachableError gives the reason of each replica that did not answer.
func (t *tracker) unreachableError() error {
	err := ErrUnreachable
	for _, r := range t.readings {
		err = fmt.Errorf("%w; %s: %s", err, r.target.name, sanitizeText(r.err.Error()))
	}

	return err
}
