package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/the-eye-events/the-eye/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// run serves the shop until ctx ends, and then waits for the verdicts on its last events.
func run(ctx context.Context, getenv func(string) string) (err error) {
	eye, err := client.New(getenv("THEEYE_URL"), getenv("THEEYE_INGEST_KEY"))
	if err != nil {
		return fmt.Errorf("set THEEYE_URL and THEEYE_INGEST_KEY, for example by `make shop`: %w", err)
	}

	events, err := client.NewBuffer(eye, client.BufferConfig{
		Spool:     getenv("SHOP_SPOOL"),
		OnVerdict: logRejections,
		OnError:   func(err error) { log.Printf("the events wait: %v", err) },
	})
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, closeBuffer(events)) }()

	handler, err := newShop(eyeForPages{URL: getenv("THEEYE_URL"), Key: getenv("THEEYE_PUBLIC_KEY")}, events)
	if err != nil {
		return err
	}

	address := getenv("SHOP_LISTEN")
	if address == "" {
		address = "127.0.0.1:8090"
	}

	return serve(ctx, address, handler)
}

func serve(ctx context.Context, address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}

	const patience = 10 * time.Second
	server := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()

		stopped <- server.Shutdown(last)
	}()

	log.Printf("the shop is open at http://%s", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}

	return <-stopped
}

// logRejections says which events are not stored. The service keeps them: `theeye rejection
// list` has the reasons, and can replay them.
func logRejections(event client.Event, verdict client.Verdict) {
	if !verdict.Durable() {
		log.Printf("%s %s is %s: %v", event.Category, event.Name, verdict.Status, verdict.Violations)
	}
}

func closeBuffer(events *client.Buffer) error {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	left, err := events.Close(ctx)
	if left.Count > 0 {
		log.Printf("%d events have no verdict yet", left.Count)
	}

	return err
}
