//go:build generated

// Command roundtrip posts events with a client that oapi-codegen made of the OpenAPI
// document, and reads them back. A test generates that client beside it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	_ "github.com/getkin/kin-openapi/openapi3" // for the code that is generated, as are those below
	"github.com/google/uuid"
	_ "github.com/oapi-codegen/runtime"
	_ "github.com/oapi-codegen/runtime/types"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run posts one event, then a batch, and prints the events that it reads back from their
// session.
func run(ctx context.Context, url, key string) error {
	authorized := WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	})

	client, err := NewClientWithResponses(url, authorized)
	if err != nil {
		return err
	}

	event := Event{
		SessionId: uuid.New(),
		Category:  "page",
		Name:      "view",
		Timestamp: "2021-01-01T09:15:27Z",
		Data:      map[string]any{"path": "/", "times": []int{1, 2}},
	}

	var one, batch EventOrBatch
	if err := errors.Join(one.FromEvent(event), batch.FromEventBatch(EventBatch{event, event})); err != nil {
		return err
	}

	for _, body := range []EventOrBatch{one, batch} {
		answer, err := client.PostEventsWithResponse(ctx, nil, body)
		if err != nil {
			return err
		}
		if answer.StatusCode() != http.StatusCreated {
			return fmt.Errorf("%s: %s", answer.Status(), answer.Body)
		}
	}

	answer, err := client.ListEventsWithResponse(ctx, &ListEventsParams{SessionId: &event.SessionId})
	if err != nil {
		return err
	}
	if answer.JSON200 == nil {
		return fmt.Errorf("%s: %s", answer.Status(), answer.Body)
	}

	for _, stored := range answer.JSON200.Events {
		data, err := json.Marshal(stored.Data)
		if err != nil {
			return err
		}

		fmt.Println(stored.Sequence, stored.Category, stored.Name, string(data))
	}

	return nil
}
