package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/cli/kube"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// BootstrapOptions are the options of BootstrapKey.
type BootstrapOptions struct {
	// Application is the application of the key; it is created if missing.
	Application string
	// Secret is the Secret for the key, under `key`. It must exist.
	Secret string
}

const (
	secretKey            = "key"
	secretApplication    = "application"
	bootstrapDescription = "theeye key bootstrap"
)

// ErrForeignKey means that the Secret holds a key that the database never had: it belongs
// to another database, possibly one that no longer exists.
var ErrForeignKey = errors.New("the Secret holds a key that this database does not know; delete the Secret and install or upgrade again to get a new one")

// BootstrapKey creates an admin key once and stores it in a Kubernetes Secret. A Secret
// that holds a key stays unchanged, and of several concurrent calls one stores its key. It
// reports whether it stored one. A key that was not stored is revoked, unless that is
// uncertain. It returns ErrForeignKey, and changes nothing, if the key in the Secret cannot
// have been created here; a revoked key is not an error.
func BootstrapKey(ctx context.Context, c config.Config, cluster kube.Config, o BootstrapOptions) (made bool, err error) {
	client, err := kube.New(cluster)
	if err != nil {
		return false, err
	}

	secret, err := client.ReadSecret(ctx, o.Secret)
	if err != nil {
		return false, err
	}

	if held := secret.Data[secretKey]; len(held) > 0 {
		return false, WithAdmin(ctx, c, func(r *access.Registry) error { return checkKnownKey(ctx, r, string(held)) })
	}

	err = WithAdmin(ctx, c, func(r *access.Registry) error {
		if _, err := r.CreateApplication(ctx, access.ApplicationSpec{Name: o.Application}); err != nil && !fault.Is(err, fault.CodeAlreadyExists) {
			return err
		}

		created, err := r.CreateKey(ctx, o.Application, access.KeySpec{Scopes: []access.Scope{access.ScopeAdmin}, Description: bootstrapDescription})
		if err != nil {
			return err
		}

		err = client.FillSecret(ctx, secret, map[string][]byte{secretKey: []byte(created.Text), secretApplication: []byte(o.Application)})
		if errors.Is(err, kube.ErrConflict) || errors.Is(err, kube.ErrRejected) || errors.Is(err, kube.ErrNoSecret) {
			if revoked := r.RevokeKey(context.WithoutCancel(ctx), o.Application, created.ID); revoked != nil {
				err = errors.Join(err, fmt.Errorf("revoke key %s, which was not stored: %w", created.ID, revoked))
			}
		}

		return err
	})
	return err == nil, err
}

// checkKnownKey returns ErrForeignKey unless the database has, or had, a key with the same
// public id.
func checkKnownKey(ctx context.Context, r *access.Registry, text string) error {
	id, _, ok := access.ParseKey(text)
	if !ok {
		return ErrForeignKey
	}

	applications, err := r.ListApplications(ctx)
	if err != nil {
		return err
	}

	for i := range applications {
		keys, err := r.ListKeys(ctx, applications[i].Name)
		if err != nil {
			return err
		}

		if slices.ContainsFunc(keys, func(k access.Key) bool { return k.ID == id }) {
			return nil
		}
	}

	return ErrForeignKey
}
