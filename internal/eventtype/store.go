package eventtype

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
)

// Snapshot is all that events are judged by, as it was at one moment.
type Snapshot struct {
	// Revision changes with every change to a type.
	Revision int64
	// Types are the current versions of all registered types.
	Types []Type
	// HashKey is the secret by which marked values are hashed.
	HashKey []byte
}

// SnapshotStore is read by a Directory. The postgres package implements it.
type SnapshotStore interface {
	// ReadRevision tells the snapshot's revision now. It is asked every second, and cheap.
	ReadRevision(ctx context.Context) (int64, error)
	// ReadSnapshot reads everything, with the revision that it is of.
	ReadSnapshot(ctx context.Context) (Snapshot, error)
}

// Store keeps types. What it is given was validated. The postgres package implements it.
type Store interface {
	// ListTypes returns all registered types in their order.
	ListTypes(ctx context.Context) ([]Type, error)
	// FindType returns a version of a type, the current one if version is 0, or a NotFound
	// fault. A version of a deleted type can still be read by its number.
	FindType(ctx context.Context, key Key, version int32) (Type, error)
	// ListVersions returns all versions of a type, newest first; none is a NotFound fault.
	ListVersions(ctx context.Context, key Key) ([]Type, error)
	// ApplyChanges makes all changes in one transaction, or none. Their keys are all different;
	// prune deletes what is registered and not among them. dry tells what would be done.
	ApplyChanges(ctx context.Context, changes []Change, prune, dry bool) ([]Result, error)
}

// SampleStore reads what a changed type would meet. The postgres package implements it.
type SampleStore interface {
	// Events hands over the stored events of a type, newest first, limit at most.
	Events(ctx context.Context, key Key, limit int, yield func(StoredEvent) bool) error
	// Rejections hands over the refusals of a type by its schema that are still open,
	// newest first, limit at most.
	Rejections(ctx context.Context, key Key, limit int, yield func(RejectedEvent) bool) error
}

// StoredEvent is a stored event, as a preview needs it.
type StoredEvent struct {
	ID   uuid.UUID
	Data json.RawMessage
}

// RejectedEvent is a refusal, as a preview needs it. Raw is the text as sent, perhaps cut.
type RejectedEvent struct {
	ID  uuid.UUID
	Raw []byte
}
