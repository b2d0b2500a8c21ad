package access

import (
	"context"
	"time"
)

// Snapshot is all that requests are authenticated by, as it was at one moment.
type Snapshot struct {
	// Version changes with every change to an application or a key.
	Version int64
	// At is when it was, by the store's clock.
	At           time.Time
	Applications []Application
	// Keys need not hold the revoked ones.
	Keys []HashedKey
}

// Store is read by a Directory. The postgres package implements it.
type Store interface {
	// ReadVersion tells the snapshot's version now, and when that is by the store's clock. It
	// is asked every second, and cheap.
	ReadVersion(ctx context.Context) (version int64, at time.Time, err error)
	// ReadSnapshot reads everything, with the version that it is of.
	ReadSnapshot(ctx context.Context) (Snapshot, error)
}

// ApplicationStore keeps applications. What it is given was validated. The postgres
// package implements it.
type ApplicationStore interface {
	// CreateApplication returns a Conflict when the name is taken.
	CreateApplication(ctx context.Context, spec ApplicationSpec) (Application, error)
	// ListApplications returns all of them by name.
	ListApplications(ctx context.Context) ([]Application, error)
	// FindApplication returns NotFound when there is none of this name.
	FindApplication(ctx context.Context, name string) (Application, error)
	// UpdateApplication returns NotFound when there is none of this name.
	UpdateApplication(ctx context.Context, name string, patch ApplicationPatch) (Application, error)
}

// KeyStore keeps keys. What it is given was validated. The postgres package
// implements it.
type KeyStore interface {
	// CreateKey keeps a key of the application that Key.Application names, and
	// returns it with its time of creation. It returns NotFound when there is no
	// such application.
	CreateKey(ctx context.Context, key HashedKey) (Key, error)
	// ListKeys returns all keys of an application, revoked ones too, from the oldest
	// on. It returns NotFound when there is no such application.
	ListKeys(ctx context.Context, application string) ([]Key, error)
	// RevokeKey returns NotFound when the application has no such key, and leaves
	// one that was revoked before as it is.
	RevokeKey(ctx context.Context, application, id string) error
}
