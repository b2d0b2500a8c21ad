package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli/top"
)

// progressStep is the shortest time between two updates of the line.
const progressStep = 100 * time.Millisecond

// progress shows the progress of a command on one line of standard error, which it
// overwrites. It shows nothing where standard error is not a terminal.
type progress struct {
	out  io.Writer
	now  func() time.Time
	last time.Time
}

// newProgress returns the progress of a command. The command must call clearLine.
func newProgress(cmd *cobra.Command) *progress {
	p := &progress{now: time.Now}
	if isTerminal(cmd.ErrOrStderr()) {
		p.out = cmd.ErrOrStderr()
	}

	return p
}

// showText replaces the shown text, unless the last update was less than progressStep ago.
func (p *progress) showText(format string, args ...any) {
	if p.out == nil || p.now().Sub(p.last) < progressStep {
		return
	}

	p.last = p.now()
	fmt.Fprintf(p.out, "\r\x1b[K"+format, args...) //nolint:errcheck // progress is best effort
}

// clearLine removes the shown text.
func (p *progress) clearLine() {
	if p.out != nil && !p.last.IsZero() {
		fmt.Fprint(p.out, "\r\x1b[K") //nolint:errcheck // as above
	}

	p.last = time.Time{}
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(io.Writer)
	return ok && top.IsInteractive(file)
}
