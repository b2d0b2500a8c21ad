package access_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
)

func render(t *testing.T, value any) string {
	t.Helper()
	text, err := json.MarshalIndent(value, "", "  ")
	require.NoError(t, err)
	return string(text)
}

func TestApplicationIsShownAsTheContractHasIt(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 1, 2, 4, 0, 0, 0, time.FixedZone("", 3600))
	require.JSONEq(t, `{"name": "shop", "disabled": false, "rate_limit": null, "allowed_origins": [],
		"created_at": "2026-01-02T03:00:00.000000Z"}`,
		render(t, access.Application{ID: 7, Name: "shop", CreatedAt: created}))
	limit := 50
	require.JSONEq(t, `[{"name": "shop", "disabled": true, "rate_limit": 50, "allowed_origins": ["*"],
		"created_at": "2026-01-02T03:00:00.120000Z"}]`,
		render(t, []access.Application{{
			Name: "shop", Disabled: true, RateLimit: &limit, AllowedOrigins: []string{"*"},
			CreatedAt: created.Add(120 * time.Millisecond),
		}}))
}

func TestKeyIsShownAsTheContractHasIt(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 0, 0, 5000, time.UTC)
	key := access.Key{
		ID: oldID, Application: "shop", Scopes: []access.Scope{"ingest"}, Description: "web", CreatedAt: at,
	}
	const bare = `{"key_id": "` + oldID + `", "application": "shop", "scopes": ["ingest"], "organisation_wide": false,
		"description": "web", "created_at": "2026-01-02T03:00:00.000005Z", "expires_at": null, "revoked_at": null,
		"public": false, "any_origin": false, "registered_only": false, "rate_limit": null`
	require.JSONEq(t, bare+`}`, render(t, key))
	require.JSONEq(t, bare+`, "key": "`+oldKey+`"}`, render(t, access.CreatedKey{Key: key, Text: oldKey}))
	require.JSONEq(t, bare+`}`, render(t, access.HashedKey{Key: key, ApplicationID: 7, Hash: [32]byte{1}}),
		"a hash is never shown")

	key = access.Key{ID: oldID, ExpiresAt: &at, RevokedAt: &at}
	text := render(t, &key)
	require.Contains(t, text, `"scopes": []`)
	require.Contains(t, text, `"expires_at": "2026-01-02T03:00:00.000005Z"`)
	require.Contains(t, text, `"revoked_at": "2026-01-02T03:00:00.000005Z"`)

	var read access.CreatedKey
	require.NoError(t, json.Unmarshal([]byte(bare+`, "key": "`+oldKey+`"}`), &read))
	require.Equal(t, oldKey, read.Text)
	require.Equal(t, oldID, read.ID)
	require.Equal(t, at, read.CreatedAt)
}

func TestPatchTellsAbsentFromNull(t *testing.T) {
	t.Parallel()
	var patch access.ApplicationPatch
	require.NoError(t, json.Unmarshal([]byte(`{}`), &patch))
	require.True(t, patch.IsEmpty())

	require.NoError(t, json.Unmarshal([]byte(`{"rate_limit": null}`), &patch))
	require.Equal(t, access.ApplicationPatch{RateLimit: access.Null[int]()}, patch)

	require.NoError(t, json.Unmarshal([]byte(`{"rate_limit": 5, "disabled": true, "allowed_origins": ["*"]}`), &patch))
	require.Equal(t, access.ApplicationPatch{
		Disabled: access.Some(true), RateLimit: access.Some(5), AllowedOrigins: access.Some([]string{"*"}),
	}, patch)

	for text, field := range map[string]string{
		`{"rate_limit": "5"}`: "rate_limit", `{"rate_limit": 1.5}`: "rate_limit",
		`{"disabled": 1}`: "disabled", `{"allowed_origins": [1]}`: "allowed_origins",
	} {
		var wrong *json.UnmarshalTypeError
		err := json.Unmarshal([]byte(text), &patch)
		require.True(t, errors.As(err, &wrong), "%v", err) //nolint:testifylint // the field is looked at
		require.Equal(t, field, wrong.Field)
	}
}
