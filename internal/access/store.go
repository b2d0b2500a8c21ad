package access

import (
	"context"
	"time"
)

// Snapshot is all applications and keys as they were at one moment.
type Snapshot struct {
	// Version changes with every change to an application or a key.
	Version int64
	// At is that moment, by the store's clock.
	At           time.Time
	Applications []Application
	// Keys may leave out revoked keys.
	Keys []HashedKey
}

// Store is read by a Cache. The postgres package implements it.
type Store interface {
	// ReadVersion returns the present version of the snapshot, and the present time by
	// the store's clock. It is called every second, and it is cheap.
	ReadVersion(ctx context.Context) (version int64, at time.Time, err error)
	// ReadSnapshot reads all applications and keys, with their version.
	ReadSnapshot(ctx context.Context) (Snapshot, error)
}

// ApplicationStore stores applications. Its arguments have been validated. The postgres
// package implements it.
type ApplicationStore interface {
	// CreateApplication returns a Conflict when the name is taken.
	CreateApplication(ctx context.Context, spec ApplicationSpec) (Application, error)
	// ListApplications returns all applications by name.
	ListApplications(ctx context.Context) ([]Application, error)
	// FindApplication returns NotFound when there is no application of this name.
	FindApplication(ctx context.Context, name string) (Application, error)
	// UpdateApplication returns NotFound when there is no application of this name.
	UpdateApplication(ctx context.Context, name string, patch ApplicationPatch) (Application, error)
}

// KeyStore stores keys. Its arguments have been validated. The postgres package
// implements it.
type KeyStore interface {
	// CreateKey stores a key of the application that Key.Application names, and returns
	// it with its time of creation. It returns NotFound when there is no such
	// application.
	CreateKey(ctx context.Context, key HashedKey) (Key, error)
	// ListKeys returns all keys of an application, including revoked keys, oldest
	// first. It returns NotFound when there is no such application.
	ListKeys(ctx context.Context, application string) ([]Key, error)
	// RevokeKey returns NotFound when the application has no such key, and leaves a key
	// that was revoked before as it is.
	RevokeKey(ctx context.Context, application, id string) error
}
