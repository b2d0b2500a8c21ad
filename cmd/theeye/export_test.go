package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"
)

// Root builds the program's commands.
func Root() *cobra.Command { return newRoot(nil) }

// OpsURL returns the URL that the probe calls.
func OpsURL(listen string) (string, error) { return opsURL(listen) }

// DevListenError adds the advice of theeye dev to an error.
func DevListenError(err error) error { return withListenAdvice(err, devListenAdvice) }

// Ask asks a question that only "yes" answers.
func Ask(in io.Reader, out io.Writer, question string) error { return promptForYes(in, out, question) }

// Progress is the progress of a command.
type Progress struct{ p *progress }

// NewProgress makes one that writes to out, or nothing when out is nil.
func NewProgress(out io.Writer, now func() time.Time) Progress {
	return Progress{&progress{out: out, now: now}}
}

// Show shows a text.
func (p Progress) Show(format string, args ...any) { p.p.showText(format, args...) }

// Clear removes the shown text.
func (p Progress) Clear() { p.p.clearLine() }
