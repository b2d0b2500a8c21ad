package eventtype

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
)

// Snapshot holds everything that events are validated against, as it was at one moment.
type Snapshot struct {
	// Revision changes with every change to a type.
	Revision int64
	// Types are the current versions of all registered types.
	Types []Type
	// HashKey is the secret by which marked values are hashed.
	HashKey []byte
}

// SnapshotStore is read by a Cache. The postgres package implements it.
type SnapshotStore interface {
	// ReadRevision returns the present revision. It is called every second, and it is
	// cheap.
	ReadRevision(ctx context.Context) (int64, error)
	// ReadSnapshot reads everything, with its revision.
	ReadSnapshot(ctx context.Context) (Snapshot, error)
}

// Store stores types. Its arguments have been validated. The postgres package
// implements it.
type Store interface {
	// ListTypes returns all registered types in their order.
	ListTypes(ctx context.Context) ([]Type, error)
	// FindType returns a version of a type, the current one if version is 0, or a NotFound
	// fault. A version of a deleted type can still be read by its number.
	FindType(ctx context.Context, key Key, version int32) (Type, error)
	// ListVersions returns all versions of a type, newest first; none is a NotFound fault.
	ListVersions(ctx context.Context, key Key) ([]Type, error)
	// ApplyChanges makes all changes in one transaction, or none. Their keys are all
	// different; prune deletes registered types that are not among them. With dry
	// nothing is changed.
	ApplyChanges(ctx context.Context, changes []Change, prune, dry bool) ([]Result, error)
}

// SampleStore reads the events that a changed type would affect. The postgres package
// implements it.
type SampleStore interface {
	// Events yields the stored events of a type, newest first, limit at most.
	Events(ctx context.Context, key Key, limit int, yield func(StoredEvent) bool) error
	// Rejections yields the open rejections by the type's schema, newest first, limit
	// at most.
	Rejections(ctx context.Context, key Key, limit int, yield func(RejectedEvent) bool) error
}

// StoredEvent is a stored event for a preview.
type StoredEvent struct {
	ID   uuid.UUID
	Data json.RawMessage
}

// RejectedEvent is a rejection for a preview. Raw is the text as sent, possibly
// truncated.
type RejectedEvent struct {
	ID  uuid.UUID
	Raw []byte
}
