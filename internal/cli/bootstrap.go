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

// BootstrapOptions say which key is made and where it is kept.
type BootstrapOptions struct {
	// Application is who the key belongs to; it is made where it is missing.
	Application string
	// Secret is the Secret that keeps the key, under `key`. It has to be there.
	Secret string
}

const (
	secretKey            = "key"
	secretApplication    = "application"
	bootstrapDescription = "theeye key bootstrap"
)

// ErrForeignKey tells that the Secret holds a key which the database has never had: it
// is that of another database, or of one that is gone.
var ErrForeignKey = errors.New("the Secret holds a key that this database does not know; delete the Secret and install or upgrade again, and it gets a new one")

// BootstrapKey makes an admin key and puts it into a Secret of Kubernetes, once: a Secret
// that holds a key is left as it is, and of several that run at once one has its key
// kept. It tells whether it made one. A key that was not kept is revoked, unless nobody
// knows whether it was. It returns ErrForeignKey, and changes nothing, when the key in
// the Secret cannot have been made here; one that was revoked is none of its business.
func BootstrapKey(ctx context.Context, c config.Config, cluster kube.Config, o BootstrapOptions) (made bool, err error) {
	keeper, err := kube.New(cluster)
	if err != nil {
		return false, err
	}

	secret, err := keeper.ReadSecret(ctx, o.Secret)
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

		err = keeper.FillSecret(ctx, secret, map[string][]byte{secretKey: []byte(created.Text), secretApplication: []byte(o.Application)})
		if errors.Is(err, kube.ErrConflict) || errors.Is(err, kube.ErrRejected) || errors.Is(err, kube.ErrNoSecret) {
			if revoked := r.RevokeKey(context.WithoutCancel(ctx), o.Application, created.ID); revoked != nil {
				err = errors.Join(err, fmt.Errorf("revoke key %s, which nobody has: %w", created.ID, revoked))
			}
		}

		return err
	})
	return err == nil, err
}

// checkKnownKey tells whether the database ever had a key, by its public id.
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
