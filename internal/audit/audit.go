package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Actor is the author of a change.
type Actor struct {
	// Name is "key:" and the public id of a key; or "command" for theeye's commands,
	// which change the database directly, followed by a colon and the name of the
	// operating system's user where that is known.
	Name string
	// Application is the application that the key belongs to, if there is one.
	Application string
	// RequestID names the request, if there is one.
	RequestID string
}

// CommandActor is the actor of theeye's commands.
const CommandActor = "command"

// Action names a kind of change. Actions are stable: reports group by them.
type Action string

// The actions.
const (
	ApplicationCreated Action = "application.created"
	ApplicationChanged Action = "application.changed"
	KeyCreated         Action = "key.created"
	KeyRevoked         Action = "key.revoked"
	EventTypeChanged   Action = "event_type.changed"
	EventTypeDeleted   Action = "event_type.deleted"
	EventEdited        Action = "event.edited"
	EventErased        Action = "event.erased"
	SessionErased      Action = "session.erased"
	ErasureBegun       Action = "erasure.begun"
	ErasureFinished    Action = "erasure.finished"
	ErrorsReplayed     Action = "errors.replayed"
	ErrorsDiscarded    Action = "errors.discarded"
)

// Actions returns all actions.
func Actions() []Action {
	return []Action{
		ApplicationCreated, ApplicationChanged, KeyCreated, KeyRevoked, EventTypeChanged, EventTypeDeleted,
		EventEdited, EventErased, SessionErased, ErasureBegun, ErasureFinished, ErrorsReplayed, ErrorsDiscarded,
	}
}

// ActionNames returns the names of all actions.
func ActionNames() []string {
	names := make([]string, 0, len(Actions()))
	for _, action := range Actions() {
		names = append(names, string(action))
	}

	return names
}

// Entry is one change.
type Entry struct {
	ID     uuid.UUID
	At     time.Time
	Actor  Actor
	Action Action
	// Target names the changed thing: an application, the id of a key, the category and
	// name of an event type (with a slash between, each escaped as in a URL), or the id
	// of an event, a session or an erasure.
	Target string
	// Detail is a JSON object with the new state, or with the number of things changed.
	// It holds no payload and no secret.
	Detail json.RawMessage
}

// MarshalJSON renders an entry as the API shows it. Application and request are null if
// there is none.
func (e Entry) MarshalJSON() ([]byte, error) {
	some := func(text string) *string {
		if text == "" {
			return nil
		}

		return &text
	}
	const micros = "2006-01-02T15:04:05.000000Z07:00"
	text, err := json.Marshal(struct {
		ID          uuid.UUID       `json:"audit_entry_id"`
		At          string          `json:"at"`
		Actor       string          `json:"actor"`
		Application *string         `json:"application"`
		RequestID   *string         `json:"request_id"`
		Action      Action          `json:"action"`
		Target      string          `json:"target"`
		Detail      json.RawMessage `json:"detail"`
	}{e.ID, e.At.UTC().Format(micros), e.Actor.Name, some(e.Actor.Application), some(e.Actor.RequestID), e.Action, e.Target, e.Detail})
	if err != nil {
		return nil, fmt.Errorf("render an audit entry: %w", err)
	}

	return text, nil
}

type actorKey struct{}

// WithActor returns a context that carries the actor.
func WithActor(ctx context.Context, actor Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// ActorOf returns the actor of a context: CommandActor if none was set.
func ActorOf(ctx context.Context) Actor {
	if actor, ok := ctx.Value(actorKey{}).(Actor); ok {
		return actor
	}

	return Actor{Name: CommandActor}
}
