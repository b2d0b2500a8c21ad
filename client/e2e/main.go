package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/the-eye-events/the-eye/client"
)

// patience bounds how long the program waits for the last verdicts.
const patience = time.Minute

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run enqueues events until the process is killed, or with -drain sends those in the spool and
// ends. It writes "try ID" before each call of Enqueue and "took ID" after it.
func run(arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("e2e", flag.ContinueOnError)
	url := flags.String("url", "", "the service")
	key := flags.String("key", "", "a key with the scope ingest")
	session := flags.String("session", "", "the session of the events")
	spool := flags.String("spool", "", "the directory of the spool")
	sync := flags.Bool("sync", false, "wait for the disk")
	drain := flags.Bool("drain", false, "send what is in the spool, and end")
	if err := flags.Parse(arguments); err != nil {
		return fmt.Errorf("read the arguments: %w", err)
	}

	c, err := client.New(*url, *key)
	if err != nil {
		return err
	}

	room := make(chan struct{}, 1)
	buffer, err := client.NewBuffer(c, client.BufferConfig{
		Spool:       *spool,
		SpoolSync:   *sync,
		MaxEvents:   300,
		BatchEvents: 20,
		Delay:       -1,
		BackoffMin:  time.Millisecond,
		BackoffMax:  20 * time.Millisecond,
		OnVerdict: func(client.Event, client.Verdict) {
			select {
			case room <- struct{}{}:
			default: // it is known already
			}
		},
	})
	if err != nil {
		return err
	}

	if !*drain {
		return enqueueForever(buffer, *session, room, out)
	}

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	_, err = buffer.Close(ctx)
	return err
}

func enqueueForever(buffer *client.Buffer, session string, room <-chan struct{}, out io.Writer) error {
	for n := 0; ; n++ {
		event := client.Event{
			EventID: client.NewID(), SessionID: session, Category: "e2e", Name: "counted", Data: map[string]int{"n": n},
		}
		if _, err := fmt.Fprintln(out, "try", event.EventID); err != nil {
			return fmt.Errorf("write: %w", err)
		}

		err := buffer.Enqueue(event)
		for errors.Is(err, client.ErrFull) {
			<-room
			err = buffer.Enqueue(event)
		}

		if err != nil {
			return err
		}

		if _, err := fmt.Fprintln(out, "took", event.EventID); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
}
