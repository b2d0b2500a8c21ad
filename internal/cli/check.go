package cli

import (
	"context"
	"errors"
	"time"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/cli/roundtrip"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// checkApplication is who posts the event of a check.
const checkApplication = "theeye-check"

// CheckService proves the service at a URL as a client would: with a key of its own it posts an
// event, reads it back and erases it. The key works for no longer than the check may
// take, and is revoked at its end.
func CheckService(ctx context.Context, c config.Config, url string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	if _, err := roundtrip.New(url, "", time.Now); err != nil { // before a key is made
		return errors.Join(ErrURL, err)
	}

	return WithAdmin(ctx, c, func(r *access.Registry) (err error) {
		// Asked first: a refused insert would be an error in the log of Postgres each time.
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
			return errors.Join(ErrURL, err)
		}

		return client.Run(ctx)
	})
}
