package access_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// pointers returns where an Invalid fault points and with which codes.
func pointers(t *testing.T, err error) map[string]fault.Code {
	t.Helper()
	if err == nil {
		return nil
	}

	f, ok := fault.As(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, fault.Invalid, f.Kind)
	require.Equal(t, fault.CodeInvalidRequest, f.Code)
	found := map[string]fault.Code{}
	for _, v := range f.Violations {
		require.NotContains(t, found, v.Pointer, "one violation at a place")
		require.NotEmpty(t, v.Detail)
		found[v.Pointer] = v.Code
	}

	require.NotEmpty(t, found)
	return found
}

func TestApplicationNames(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]fault.Code{
		"shop":                   "",
		"7":                      "",
		"Web.Shop_2-eu":          "",
		strings.Repeat("a", 128): "",
		"":                       fault.CodeMissingField,
		strings.Repeat("a", 129): fault.CodeInvalidLength,
		".hidden":                fault.CodeInvalidRequest,
		"-shop":                  fault.CodeInvalidRequest,
		"_shop":                  fault.CodeInvalidRequest,
		"a shop":                 fault.CodeInvalidRequest,
		"a/shop":                 fault.CodeInvalidRequest,
		"shop\n":                 fault.CodeInvalidRequest,
		"shöp":                   fault.CodeInvalidRequest,
		"shop\x00":               fault.CodeInvalidRequest,
		"\xff":                   fault.CodeInvalidRequest,
		strings.Repeat("é", 100): fault.CodeInvalidRequest,
	} {
		_, err := access.ApplicationSpec{Name: name}.Validate()
		if code == "" {
			require.NoError(t, err, name)
			continue
		}

		require.Equal(t, map[string]fault.Code{"/name": code}, pointers(t, err), "%q", name)
	}
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	for limit, good := range map[int]bool{
		-1: false, 0: false, 1: true, 100: true, access.MaxRateLimit: true, access.MaxRateLimit + 1: false,
	} {
		_, ofSpec := access.ApplicationSpec{Name: "shop", RateLimit: &limit}.Validate()
		_, ofPatch := access.ApplicationPatch{RateLimit: access.Some(limit)}.Validate()
		if good {
			require.NoError(t, ofSpec)
			require.NoError(t, ofPatch)
			continue
		}

		wrong := map[string]fault.Code{"/rate_limit": fault.CodeNumberOutOfRange}
		require.Equal(t, wrong, pointers(t, ofSpec))
		require.Equal(t, wrong, pointers(t, ofPatch))
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	for sent, stored := range map[string]string{
		"*":                                         "*",
		"https://shop.example":                      "https://shop.example",
		"HTTPS://Shop.Example":                      "https://shop.example",
		"http://localhost:3000":                     "http://localhost:3000",
		"https://shop.example:443":                  "https://shop.example",
		"http://shop.example:80":                    "http://shop.example",
		"http://shop.example:443":                   "http://shop.example:443",
		"http://127.0.0.1:8080":                     "http://127.0.0.1:8080",
		"http://[::1]:8080":                         "http://[::1]:8080",
		"http://[::1]":                              "http://[::1]",
		"https://xn--mnchen-3ya.de":                 "https://xn--mnchen-3ya.de",
		"http://my_machine":                         "http://my_machine",
		"":                                          "",
		"shop.example":                              "",
		"shop.example:8080":                         "",
		"//shop.example":                            "",
		"ftp://shop.example":                        "",
		"file:///etc":                               "",
		"https://":                                  "",
		"https://shop.example/":                     "",
		"https://shop.example/path":                 "",
		"https://shop.example?":                     "",
		"https://shop.example?a=b":                  "",
		"https://shop.example#":                     "",
		"https://shop.example#top":                  "",
		"https://user@shop.example":                 "",
		"https://user:secret@shop.example":          "",
		"https://shop.example:":                     "",
		"https://shop.example:0":                    "",
		"https://shop.example:65536":                "",
		"https://shop.example:http":                 "",
		"https://*.shop.example":                    "",
		"https://shop..example":                     "",
		"https://shop.example.":                     "",
		"https://-shop.example":                     "",
		"https://münchen.de":                        "",
		"https://a b":                               "",
		"https://a%20b":                             "",
		"https://[::1%25eth0]":                      "",
		"https://[shop]":                            "",
		" https://shop.example":                     "",
		"https://shop.example\n":                    "",
		"null":                                      "",
		"https://" + strings.Repeat("a", 64):        "",
		"https://" + strings.Repeat("abc.", 64):     "",
		"https://" + strings.Repeat("a.", 80) + "a": "https://" + strings.Repeat("a.", 80) + "a",
	} {
		read, err := access.ApplicationSpec{Name: "shop", AllowedOrigins: []string{sent}}.Validate()
		if stored == "" {
			require.Equal(t, map[string]fault.Code{"/allowed_origins/0": fault.CodeInvalidRequest}, pointers(t, err), "%q", sent)
			continue
		}

		require.NoError(t, err, sent)
		require.Equal(t, []string{stored}, read.AllowedOrigins)
		again, err := access.ApplicationSpec{Name: "shop", AllowedOrigins: read.AllowedOrigins}.Validate()
		require.NoError(t, err)
		require.Equal(t, read, again)
	}
}

func TestOriginLists(t *testing.T) {
	t.Parallel()
	many := func(n int) []string {
		origins := make([]string, n)
		for i := range origins {
			origins[i] = "https://shop" + strconv.Itoa(i) + ".example"
		}

		return origins
	}
	read, err := access.ApplicationSpec{Name: "shop"}.Validate()
	require.NoError(t, err)
	require.NotNil(t, read.AllowedOrigins)
	_, err = access.ApplicationSpec{Name: "shop", AllowedOrigins: many(100)}.Validate()
	require.NoError(t, err)
	_, err = access.ApplicationSpec{Name: "shop", AllowedOrigins: many(101)}.Validate()
	require.Equal(t, map[string]fault.Code{"/allowed_origins": fault.CodeInvalidLength}, pointers(t, err))
	_, err = access.ApplicationSpec{Name: "shop", AllowedOrigins: []string{"https://a", "http://a", "HTTPS://A:443"}}.Validate()
	require.Equal(t, map[string]fault.Code{"/allowed_origins/2": fault.CodeInvalidRequest}, pointers(t, err))
}

func TestEverythingWrongIsToldAtOnce(t *testing.T) {
	t.Parallel()
	limit := 0
	_, err := access.ApplicationSpec{Name: "a b", RateLimit: &limit, AllowedOrigins: []string{"*", "no", "https://a", "/"}}.Validate()
	require.Equal(t, map[string]fault.Code{
		"/name":              fault.CodeInvalidRequest,
		"/rate_limit":        fault.CodeNumberOutOfRange,
		"/allowed_origins/1": fault.CodeInvalidRequest,
		"/allowed_origins/3": fault.CodeInvalidRequest,
	}, pointers(t, err))
}

func TestPatches(t *testing.T) {
	t.Parallel()
	_, err := access.ApplicationPatch{
		Disabled: access.Null[bool](), RateLimit: access.Null[int](), AllowedOrigins: access.Null[[]string](),
	}.Validate()
	require.Equal(t, map[string]fault.Code{
		"/disabled": fault.CodeInvalidType, "/allowed_origins": fault.CodeInvalidType,
	}, pointers(t, err))

	patch, err := access.ApplicationPatch{AllowedOrigins: access.Some([]string{"HTTP://A"})}.Validate()
	require.NoError(t, err)
	limit := 5
	application := access.Application{Name: "shop", Disabled: true, RateLimit: &limit, AllowedOrigins: []string{"*"}}
	patch.ApplyTo(&application)
	require.Equal(t, access.Application{Name: "shop", Disabled: true, RateLimit: &limit, AllowedOrigins: []string{"http://a"}}, application)

	patch, err = access.ApplicationPatch{Disabled: access.Some(false), RateLimit: access.Null[int]()}.Validate()
	require.NoError(t, err)
	patch.ApplyTo(&application)
	require.Equal(t, access.Application{Name: "shop", AllowedOrigins: []string{"http://a"}}, application)

	patch, err = access.ApplicationPatch{}.Validate()
	require.NoError(t, err)
	require.True(t, patch.IsEmpty())
}

func TestKeySpecs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) *time.Time { a := now.Add(d); return &a }
	ingest := []access.Scope{access.ScopeIngest}
	far := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		spec  access.KeySpec
		wrong map[string]fault.Code
	}{
		"one scope":        {access.KeySpec{Scopes: ingest}, nil},
		"all scopes":       {access.KeySpec{Scopes: []access.Scope{"read", "admin", "ingest"}, OrganisationWide: true}, nil},
		"future":           {access.KeySpec{Scopes: ingest, ExpiresAt: at(time.Microsecond)}, nil},
		"long description": {access.KeySpec{Scopes: ingest, Description: strings.Repeat("ü", 256)}, nil},
		"no scope":         {access.KeySpec{}, map[string]fault.Code{"/scopes": fault.CodeMissingField}},
		"unknown scope": {
			access.KeySpec{Scopes: []access.Scope{"ingest", "write"}},
			map[string]fault.Code{"/scopes/1": fault.CodeInvalidRequest},
		},
		"repeated scope": {
			access.KeySpec{Scopes: []access.Scope{"ingest", "read", "ingest"}},
			map[string]fault.Code{"/scopes/2": fault.CodeInvalidRequest},
		},
		"too many scopes": {
			access.KeySpec{Scopes: make([]access.Scope, 1000)}, map[string]fault.Code{"/scopes": fault.CodeInvalidLength},
		},
		"now": {
			access.KeySpec{Scopes: ingest, ExpiresAt: at(0)},
			map[string]fault.Code{"/expires_at": fault.CodeInvalidTimestamp},
		},
		"now, once cut": {
			access.KeySpec{Scopes: ingest, ExpiresAt: at(time.Nanosecond)},
			map[string]fault.Code{"/expires_at": fault.CodeInvalidTimestamp},
		},
		"too far": {
			access.KeySpec{Scopes: ingest, ExpiresAt: &far},
			map[string]fault.Code{"/expires_at": fault.CodeInvalidTimestamp},
		},
		"too long a description": {
			access.KeySpec{Scopes: ingest, Description: strings.Repeat("ü", 257)},
			map[string]fault.Code{"/description": fault.CodeInvalidLength},
		},
		"all at once": {
			access.KeySpec{Scopes: []access.Scope{"x", "x"}, Description: "a\x00b", ExpiresAt: at(-time.Hour)},
			map[string]fault.Code{
				"/scopes/0": fault.CodeInvalidRequest, "/scopes/1": fault.CodeInvalidRequest,
				"/description": fault.CodeInvalidRequest, "/expires_at": fault.CodeInvalidTimestamp,
			},
		},
		"not UTF-8": {
			access.KeySpec{Scopes: ingest, Description: "\xff"},
			map[string]fault.Code{"/description": fault.CodeInvalidRequest},
		},
	} {
		_, err := test.spec.Validate(now)
		require.Equal(t, test.wrong, pointers(t, err), name)
	}
}

func TestExpiryIsStoredAsItIsAnswered(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 123456789, time.FixedZone("", 3600))
	spec, err := access.KeySpec{Scopes: []access.Scope{"read"}, ExpiresAt: &at}.Validate(at.AddDate(-1, 0, 0))
	require.NoError(t, err)
	require.Equal(t, time.Date(2030, 1, 2, 2, 4, 5, 123456000, time.UTC), *spec.ExpiresAt)
}
