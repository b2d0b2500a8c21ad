//go:build generated

// Command roundtrip posts events with a client that ogen made of the OpenAPI document, and
// reads them back. A test generates that client beside it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	_ "github.com/go-faster/errors" // for the client that is generated, as are those below
	"github.com/go-faster/jx"
	"github.com/google/uuid"
	_ "github.com/ogen-go/ogen/conv"
	_ "github.com/ogen-go/ogen/http"
	_ "github.com/ogen-go/ogen/json"
	_ "github.com/ogen-go/ogen/middleware"
	_ "github.com/ogen-go/ogen/ogenerrors"
	_ "github.com/ogen-go/ogen/ogenregex"
	_ "github.com/ogen-go/ogen/otelogen"
	_ "github.com/ogen-go/ogen/uri"
	_ "github.com/ogen-go/ogen/validate"
	_ "go.opentelemetry.io/otel"
	_ "go.opentelemetry.io/otel/attribute"
	_ "go.opentelemetry.io/otel/codes"
	_ "go.opentelemetry.io/otel/metric"
	_ "go.opentelemetry.io/otel/semconv/v1.39.0"
	_ "go.opentelemetry.io/otel/trace"
)

// keySource is the key that every request is sent with.
type keySource string

func (k keySource) ApplicationKey(context.Context, OperationName) (ApplicationKey, error) {
	return ApplicationKey{Token: string(k)}, nil
}

func (k keySource) PublicKey(context.Context, OperationName) (PublicKey, error) {
	return PublicKey{}, errors.New("no page sends this")
}

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run posts one event, a batch, and a batch of which nothing can be stored, and prints the
// verdicts; then the events that it reads back from their session.
func run(ctx context.Context, url, key string) error {
	client, err := NewClient(url, keySource(key))
	if err != nil {
		return err
	}

	event := Event{
		SessionID: uuid.New(),
		Category:  "page",
		Name:      "view",
		Timestamp: "2021-01-01T09:15:27Z",
		Data:      EventData{"path": jx.Raw(`"/"`)},
	}
	nameless := event
	nameless.Name = ""

	one, batch, wrong := NewEventEventOrBatch(event), NewEventBatchEventOrBatch(EventBatch{event, event}), NewEventBatchEventOrBatch(EventBatch{nameless, nameless})
	for _, body := range []*EventOrBatch{&one, &batch, &wrong} {
		answer, err := client.PostEvents(ctx, body, PostEventsParams{})
		if err != nil {
			return err
		}

		if err := printAnswer(answer); err != nil {
			return err
		}
	}

	answer, err := client.ListEvents(ctx, ListEventsParams{SessionID: NewOptUUID(event.SessionID)})
	if err != nil {
		return err
	}

	page, ok := answer.(*EventPageHeaders)
	if !ok {
		return fmt.Errorf("%T: %+v", answer, answer)
	}

	for _, stored := range page.Response.Events {
		fmt.Println(stored.Sequence, stored.Category, stored.Name, string(stored.Data["path"]))
	}

	return nil
}

// printAnswer prints the verdicts of an answer.
func printAnswer(answer PostEventsRes) error {
	switch answer := answer.(type) {
	case *EventVerdictHeaders:
		if one, ok := answer.Response.GetVerdict(); ok {
			fmt.Println(one.Status, one.Sequence.Value)
		}

		if batch, ok := answer.Response.GetBatchVerdict(); ok {
			fmt.Println(batch.Stored, "stored:", batch.Results[0].Status, batch.Results[1].Status)
		}
	case *RefusedRequestAnswerHeaders:
		refused := answer.Response
		fmt.Println(refused.Code, refused.Results[0].Status, refused.Results[0].Errors[0].Code)
	default:
		return fmt.Errorf("%T: %+v", answer, answer)
	}

	return nil
}
