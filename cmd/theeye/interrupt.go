package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/the-eye-events/the-eye/internal/app"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/cli/export"
)

// watchSignals returns a context that ends with the first SIGINT or SIGTERM, which is then its
// cause, and a channel that closes with the second.
func watchSignals() (ctx context.Context, hurry <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	received := make(chan os.Signal, 2)
	signal.Notify(received, syscall.SIGINT, syscall.SIGTERM)
	second := make(chan struct{})
	go func() {
		first, _ := (<-received).(syscall.Signal) // it is a syscall.Signal on every system that has signals
		cancel(interruption{signal: first})
		<-received
		close(second)
	}()
	return ctx, second, func() {
		signal.Stop(received)
		cancel(context.Canceled)
	}
}

// interruption is the error of a command that a signal stopped. done says how far the
// command came, if there is anything to report.
type interruption struct {
	signal syscall.Signal
	done   string
}

func (i interruption) Error() string { return i.done }

// explainInterruption returns the interruption instead of the error if a signal came first,
// because the error is then only its consequence. ErrAbandoned stays an error of its own.
func explainInterruption(ctx context.Context, err error) error {
	var stopped interruption
	if err == nil || !errors.As(context.Cause(ctx), &stopped) || errors.Is(err, app.ErrAbandoned) {
		return err
	}

	if exported, ok := errors.AsType[*export.InterruptedError](err); ok {
		stopped.done = exported.Error()
	}

	if erasing, ok := errors.AsType[*cli.UnfinishedError](err); ok {
		stopped.done = erasing.Error()
	}

	if unfinished, ok := errors.AsType[unfinishedError](err); ok {
		stopped.done = "interrupted; " + unfinished.done
	}

	return stopped
}

// unfinishedError is the error of a command that failed, with how far the command came, in
// case an interruption was the cause.
type unfinishedError struct {
	error

	done string
}

func (u unfinishedError) Unwrap() error { return u.error }
