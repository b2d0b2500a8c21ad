package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/cli/roundtrip"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// checkApplication is the application of the event of a check.
const checkApplication = "theeye-check"

// CheckService checks the service at a URL like a client: with its own key it posts an event,
// reads it back and erases it. The key expires soon after the time limit of the check, and is
// revoked at its end.
func CheckService(ctx context.Context, c config.Config, url string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	if _, err := roundtrip.New(url, "", time.Now); err != nil { // before a key is created
		return fmt.Errorf("%w: %w", ErrURL, err)
	}

	return WithAdmin(ctx, c, func(r *access.Registry) (err error) {
		// The lookup comes first, because each refused insert would be an error in Postgres' log.
		_, err = r.FindApplication(ctx, checkApplication)
		if fault.Is(err, fault.CodeNotFound) {
			_, err = r.CreateApplication(ctx, access.ApplicationSpec{Name: checkApplication})
		}

		if err != nil && !fault.Is(err, fault.CodeAlreadyExists) {
			return err
		}

		ends := time.Now().Add(patience + time.Minute)
		key, err := r.CreateKey(ctx, checkApplication, access.KeySpec{Scopes: []access.Scope{access.ScopeAdmin}, Description: "theeye check", ExpiresAt: &ends})
		if err != nil {
			return err
		}

		defer func() {
			err = errors.Join(err, r.RevokeKey(context.WithoutCancel(ctx), checkApplication, key.ID))
		}()

		client, err := roundtrip.New(url, key.Text, time.Now)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrURL, err)
		}

		return client.Run(ctx)
	})
}
