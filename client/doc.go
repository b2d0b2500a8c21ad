// Package client sends events to The Eye and reads them. It needs the standard library only.
//
// # Quick start
//
// A Buffer takes events without making its callers wait, and holds each until the service has
// answered with its outcome. With a spool the events survive the process as well:
//
//	c, err := client.New("https://eye.example.com", key)
//	...
//	buffer, err := client.NewBuffer(c, client.BufferConfig{Spool: "/var/lib/shop/events"})
//	...
//	defer buffer.Close(ctx)
//	err = buffer.Enqueue(client.Event{SessionID: session, Category: "cart", Name: "added", Data: item})
//
// # Which of the two
//
// Client.Send is for callers that need the answer before they continue: it makes one request and
// returns a Verdict on each event. Buffer.Enqueue is for callers that must not wait.
//
// Either way an event has an id before it is sent, so that it can be sent again after an
// attempt whose answer was lost, and is stored once. The Buffer does this by itself. Callers of
// Send pass the same slice again:
//
//	result, err := c.Send(ctx, events)
//	if errors.Is(err, client.ErrOutcomeUnknown) {
//		result, err = c.Send(ctx, events)
//	}
//
// # What a Buffer survives
//
// An event whose Enqueue returned nil gets exactly one final verdict, and is never stored twice:
//
//   - The service is unreachable, restarts, is overloaded, or its answers are lost: always.
//   - The process calls Close: always. What Close could not send it returns, or leaves in the
//     spool.
//   - The process is killed: with Spool. Enqueue has given the event to the operating system
//     before it returns.
//   - The machine loses power: with Spool and SpoolSync. Enqueue has waited for the disk.
//
// A service that does not accept the key is tried again until an operator fixes it; look at
// BufferConfig.OnError or Buffer.Stats. Events that the service rejects have their final
// verdict: look at BufferConfig.OnVerdict. The service keeps them, so that they can be read
// (Client.Rejections) and replayed.
//
// # Reading
//
// Lists are iterators that ask for page after page: Client.Events, Client.SessionEvents,
// Client.Sessions, Client.Rejections. Client.Changes reads events in the order of their commits,
// for a copy that is kept up to date. Payloads are json.RawMessage, so that no digit of a number
// is lost.
//
// # Errors
//
// An answer that refuses a request is an *Error, with the service's code, its advice and the id
// of the request. errors.Is finds ErrUnauthorized, ErrForbidden, ErrNotFound, ErrTooLarge and
// ErrOutcomeUnknown in all errors.
package client
