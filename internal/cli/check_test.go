package cli_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

func TestCheckProvesAServiceAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s := apptest.StartOn(t, pgtest.New(t), nil)
	c := apptest.LoadConfig(t, s.Database, nil)
	for range 2 {
		require.NoError(t, cli.CheckService(t.Context(), c, s.URL, time.Minute))
	}

	events := 0
	require.NoError(t, s.Database.Pool(t).QueryRow(t.Context(), "select count(*) from event").Scan(&events))
	require.Zero(t, events)
	require.NoError(t, cli.WithAdmin(t.Context(), c, func(r *access.Registry) error {
		keys, err := r.ListKeys(t.Context(), "theeye-check")
		require.Len(t, keys, 2)
		for _, key := range keys {
			require.NotNil(t, key.RevokedAt)
			require.NotNil(t, key.ExpiresAt)
		}

		return err
	}))
}

func TestCheckFailsWhereNoServiceIs(t *testing.T) {
	t.Parallel()
	c := apptest.LoadConfig(t, pgtest.New(t), nil)

	require.ErrorContains(t, cli.CheckService(t.Context(), c, "http://127.0.0.1:1", time.Second), "post an event")
	err := cli.CheckService(t.Context(), c, "eye", time.Second)
	require.ErrorIs(t, err, cli.ErrURL)
	require.EqualError(t, err, "the URL cannot be used: it must begin with http:// or https://")
}
