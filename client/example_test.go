package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/the-eye-events/the-eye/client"
)

// exampleService stands in for a service, so that the examples run.
func exampleService(faults ...fault) *httptest.Server {
	return httptest.NewServer(newService(faults...))
}

// Send is for callers that need the answer before they continue.
func ExampleClient_Send() {
	service := exampleService()
	defer service.Close()

	c, err := client.New(service.URL, "eye_test")
	if err != nil {
		fmt.Println(err)
		return
	}

	result, err := c.Send(context.Background(), []client.Event{{
		SessionID: client.NewID(),
		Category:  "cart",
		Name:      "added",
		Data:      map[string]any{"sku": "a-1", "price": 12.5},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, verdict := range result.Verdicts {
		fmt.Println(verdict.Status, verdict.Sequence)
	}

	// Output: stored 1
}

// The answer to the first attempt is lost. The second one, with the same slice, stores nothing
// twice.
func ExampleClient_Send_again() {
	service := exampleService(loseAnswer)
	defer service.Close()

	c, err := client.New(service.URL, "eye_test")
	if err != nil {
		fmt.Println(err)
		return
	}

	events := []client.Event{{SessionID: client.NewID(), Category: "cart", Name: "added"}}
	result, err := c.Send(context.Background(), events)
	if errors.Is(err, client.ErrOutcomeUnknown) {
		result, err = c.Send(context.Background(), events)
	}

	fmt.Println(result.Stored, result.Duplicates, err)
	// Output: 0 1 <nil>
}

// A Buffer is for callers that must not wait. With a spool, its events survive the process.
func ExampleBuffer() {
	service := exampleService()
	defer service.Close()

	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory

	c, err := client.New(service.URL, "eye_test")
	if err != nil {
		fmt.Println(err)
		return
	}

	buffer, err := client.NewBuffer(c, client.BufferConfig{
		Spool: dir,
		OnVerdict: func(event client.Event, verdict client.Verdict) {
			if !verdict.Durable() {
				fmt.Println(event.Name, verdict.Status, verdict.Violations)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	session := client.NewID()
	for _, name := range []string{"added", "bad", "removed"} {
		err := buffer.Enqueue(client.Event{SessionID: session, Category: "cart", Name: name})
		if err != nil {
			fmt.Println(err) // the event was not taken
		}
	}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	left, err := buffer.Close(ctx)
	fmt.Println(left.Count, err)
	fmt.Println(buffer.Stats().Stored)
	// Output:
	// bad rejected [/name: it is bad]
	// 0 <nil>
	// 2
}

// A list is an iterator that asks for page after page.
func ExampleClient_Events() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"events":[%s,%s],"next_cursor":null}`, storedText(2), storedText(1))
	}))
	defer service.Close()

	c, err := client.New(service.URL, "eye_test")
	if err != nil {
		fmt.Println(err)
		return
	}

	for event, err := range c.Events(context.Background(), client.EventFilter{Category: "page"}) {
		if err != nil {
			fmt.Println(err)
			return
		}

		fmt.Println(event.Sequence, event.Name, string(event.Data))
	}

	// Output:
	// 2 view {"n":12345678901234567890.10}
	// 1 view {"n":12345678901234567890.10}
}

// A program that keeps a copy up to date stores the cursor with it, and continues from there.
func ExampleClient_Changes() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"events":[%s],"next":"c-1","more":false,"complete_until":null}`, storedText(1))
	}))
	defer service.Close()

	c, err := client.New(service.URL, "eye_test")
	if err != nil {
		fmt.Println(err)
		return
	}

	cursor := "" // as it was kept
	for page, err := range c.Changes(context.Background(), client.ChangesQuery{After: cursor}) {
		if err != nil {
			fmt.Println(err)
			return
		}

		cursor = page.Next
		fmt.Println(len(page.Events), cursor)
	}

	// Output: 1 c-1
}
