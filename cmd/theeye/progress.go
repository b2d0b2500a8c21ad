package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/the-eye-events/the-eye/internal/cli/top"
)

// progressStep is the least time between two changes of what is shown.
const progressStep = 100 * time.Millisecond

// progress shows how far a command is, on one line of a terminal's standard error that it
// writes over. Where standard error is no terminal it shows nothing.
type progress struct {
	out  io.Writer
	now  func() time.Time
	last time.Time
}

// newProgress makes the progress of a command. The command has to clear it.
func newProgress(cmd *cobra.Command) *progress {
	p := &progress{now: time.Now}
	if isTerminal(cmd.ErrOrStderr()) {
		p.out = cmd.ErrOrStderr()
	}

	return p
}

// showText shows a text in place of the last one, unless that was shown only just now.
func (p *progress) showText(format string, args ...any) {
	if p.out == nil || p.now().Sub(p.last) < progressStep {
		return
	}

	p.last = p.now()
	fmt.Fprintf(p.out, "\r\x1b[K"+format, args...) //nolint:errcheck // it is only shown
}

// clearLine takes away what is shown.
func (p *progress) clearLine() {
	if p.out != nil && !p.last.IsZero() {
		fmt.Fprint(p.out, "\r\x1b[K") //nolint:errcheck // as above
	}

	p.last = time.Time{}
}

// isTerminal tells whether somebody sits before a stream.
func isTerminal(stream any) bool {
	file, ok := stream.(io.Writer)
	return ok && top.IsInteractive(file)
}
