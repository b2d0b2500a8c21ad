package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func TestApplications(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	answer := s.Do(t, http.MethodPost, "/v1/applications", `{"name":"web.1_x-Y","rate_limit":100,"allowed_origins":["HTTPS://Shop.Example:443"]}`)
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	require.Equal(t, "/v1/applications/web.1_x-Y", answer.Header.Get("Location"))
	created := answer.JSON(t)
	made := at[string](t, created, "created_at")
	_, err := time.Parse("2006-01-02T15:04:05.000000Z", made)
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"web.1_x-Y","disabled":false,"rate_limit":100,"allowed_origins":["https://shop.example"],"created_at":"`+made+`"}`, string(answer.Body))
	require.Equal(t, created, mustGet(t, s.Client, "/v1/applications/web.1_x-Y"))
	requireProblem(t, s.Do(t, http.MethodPost, "/v1/applications", `{"name":"web.1_x-Y"}`), http.StatusConflict, "already_exists")
	require.Equal(t, []string{"shop", "web.1_x-Y"}, column(t, mustGet(t, s.Client, "/v1/applications")["applications"], "name"))

	patch := func(body string) map[string]any {
		t.Helper()
		answer := s.Do(t, http.MethodPatch, "/v1/applications/web.1_x-Y", body)
		require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Body)
		require.Equal(t, answer.JSON(t), mustGet(t, s.Client, "/v1/applications/web.1_x-Y"))
		return answer.JSON(t)
	}
	require.Equal(t, created, patch(`{}`))
	changed := patch(`{"rate_limit":null,"disabled":true}`)
	require.Equal(t, []any{nil, true, created["allowed_origins"]}, []any{changed["rate_limit"], changed["disabled"], changed["allowed_origins"]})
	changed = patch(`{"disabled":false,"allowed_origins":[],"rate_limit":7}`)
	require.Equal(t, []any{number(7), false, []any{}}, []any{changed["rate_limit"], changed["disabled"], changed["allowed_origins"]})

	for body, places := range map[string][]string{
		`{}`:                 {"/name missing_field"},
		`{"name":""}`:        {"/name missing_field"},
		`{"name":null}`:      {"/name missing_field"},
		`{"name":"a b"}`:     {"/name invalid_request"},
		`{"name":"-a"}`:      {"/name invalid_request"},
		`{"name":"é"}`:       {"/name invalid_request"},
		`{"name":"a\u0000"}`: {"/name nul_character"},
		`{"name":"` + strings.Repeat("a", 129) + `"}`: {"/name invalid_length"},
		`{"name":1}`:   {"/name invalid_type"},
		`{"Name":"a"}`: {"/Name unknown_field"},
		`{"name":"a","application_id":1,"x/y":2}`: {"/application_id unknown_field", "/x~1y unknown_field"},
		`{"name":"a","name":"b"}`:                 {"/name duplicate_member"},
		`{"name":"a","rate_limit":0}`:             {"/rate_limit number_out_of_range"},
		`{"name":"a","rate_limit":1000000001}`:    {"/rate_limit number_out_of_range"},
		`{"name":"a","rate_limit":1.5}`:           {"/rate_limit invalid_type"},
		`{"name":"a","rate_limit":"1"}`:           {"/rate_limit invalid_type"},
		`{"name":"a","disabled":"no"}`:            {"/disabled invalid_type"},
		`{"name":"a","allowed_origins":"*"}`:      {"/allowed_origins invalid_type"},
		`{"name":"a","allowed_origins":["x","https://a.example/path","https://a.example","https://A.example"]}`: {
			"/allowed_origins/0 invalid_request", "/allowed_origins/1 invalid_request", "/allowed_origins/3 invalid_request",
		},
		`[]`: {"invalid_type"}, `"x"`: {"invalid_type"}, `{`: {"invalid_json"}, `{}x`: {"trailing_text"},
	} {
		answer := s.Do(t, http.MethodPost, "/v1/applications", body)
		require.Equal(t, http.StatusBadRequest, answer.Status, "%s: %s", body, answer.Body)
		require.ElementsMatch(t, places, reasons(t, answer.JSON(t)), body)
		require.NotEqual(t, "invalid_event", answer.JSON(t)["code"])
	}

	for body, place := range map[string]string{
		`{"name":"x"}`: "/name unknown_field", `{"disabled":null}`: "/disabled invalid_type", `{"allowed_origins":null}`: "/allowed_origins invalid_type",
		`{"rate_limit":-1}`: "/rate_limit number_out_of_range", `{"rate_limit":[]}`: "/rate_limit invalid_type",
	} {
		problem := requireProblem(t, s.Do(t, http.MethodPatch, "/v1/applications/shop", body), http.StatusBadRequest, "invalid_request")
		require.Equal(t, []string{place}, reasons(t, problem))
	}

	requireProblem(t, s.Do(t, http.MethodPost, "/v1/applications", `{"name":"a"}`, "Content-Type", "text/plain"), http.StatusUnsupportedMediaType, "unsupported_media_type")
	require.Len(t, mustGet(t, s.Client, "/v1/applications")["applications"], 2)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	own := newTenant(t, s)
	keys := "/v1/applications/" + own.Name + "/keys"
	fresh := s.Do(t, http.MethodPost, "/v1/applications", `{"name":"without-keys"}`)
	require.Equal(t, http.StatusCreated, fresh.Status)
	require.Equal(t, []any{}, mustGet(t, s.Client, "/v1/applications/without-keys/keys")["keys"])

	expires := time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000000Z")
	answer := s.Do(t, http.MethodPost, keys, `{"scopes":["read","ingest"],"organisation_wide":true,"description":"für <alle>","expires_at":"`+expires+`"}`)
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	require.Equal(t, "no-store", answer.Header.Get("Cache-Control"))
	created := answer.JSON(t)
	id, text := at[string](t, created, "key_id"), at[string](t, created, "key")
	require.Regexp(t, `^eye_`+id+`_[0-9A-Za-z]{38}$`, text)
	delete(created, "key")
	require.Equal(t, []any{own.Name, []any{"read", "ingest"}, true, "für <alle>", expires, nil}, []any{
		created["application"], created["scopes"], created["organisation_wide"], created["description"], created["expires_at"], created["revoked_at"],
	})
	mustPost(t, s.WithKey(text), newEvent(t, newID()))
	mustGet(t, s.WithKey(text), "/v1/events?application=shop")

	list := s.Do(t, http.MethodGet, keys, "")
	require.NotContains(t, string(list.Body), text[17:], "a secret is shown once")
	require.NotContains(t, string(list.Body), "hash")
	require.Equal(t, created, at[any](t, list.JSON(t), "keys", 2))
	require.Len(t, at[map[string]any](t, list.JSON(t), "keys", 0), len(created))
	require.NotContains(t, string(s.Do(t, http.MethodGet, "/v1/applications", "").Body), "eye_")

	for body, places := range map[string][]string{
		`{}`:                                 {"/scopes missing_field"},
		`{"scopes":[]}`:                      {"/scopes missing_field"},
		`{"scopes":null}`:                    {"/scopes missing_field"},
		`{"scopes":"read"}`:                  {"/scopes invalid_type"},
		`{"scopes":["write","read","read"]}`: {"/scopes/0 invalid_request", "/scopes/2 invalid_request"},
		`{"scopes":["read","admin","ingest","read"]}`:                          {"/scopes invalid_length"},
		`{"scopes":["read"],"expires_at":"2021-01-01T00:00:00Z"}`:              {"/expires_at invalid_timestamp"},
		`{"scopes":["read"],"expires_at":"tomorrow"}`:                          {"/expires_at invalid_timestamp"},
		`{"scopes":["read"],"expires_at":1893456000}`:                          {"/expires_at invalid_timestamp"},
		`{"scopes":["read"],"organisation_wide":1}`:                            {"/organisation_wide invalid_type"},
		`{"scopes":["read"],"description":"a\nb"}`:                             {"/description invalid_request"},
		`{"scopes":["read"],"description":"` + strings.Repeat("x", 257) + `"}`: {"/description invalid_length"},
		`{"scopes":["read"],"key":"eye_x"}`:                                    {"/key unknown_field"},
	} {
		problem := requireProblem(t, s.Do(t, http.MethodPost, keys, body), http.StatusBadRequest, "invalid_request")
		require.ElementsMatch(t, places, reasons(t, problem), body)
	}

	requireProblem(t, s.Do(t, http.MethodPost, "/v1/applications/nobody/keys", `{"scopes":["read"]}`), http.StatusNotFound, "not_found")

	// A key is not found under the name of another application, or by an id of another form.
	for _, path := range []string{"/v1/applications/shop/keys/" + id, keys + "/x", keys + "/aaaaaaaaaaaa", "/v1/applications/nobody/keys/" + id} {
		requireProblem(t, s.Do(t, http.MethodDelete, path, ""), http.StatusNotFound, "not_found")
	}

	mustGet(t, s.WithKey(text), "/v1/events")
	for range 2 { // revoking again changes nothing
		require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, keys+"/"+id, "").Status)
	}

	requireProblem(t, s.WithKey(text).Do(t, http.MethodGet, "/v1/events", ""), http.StatusUnauthorized, "unauthorized")
	revoked := at[map[string]any](t, mustGet(t, s.Client, keys), "keys", 2)
	require.NotNil(t, revoked["revoked_at"])
	require.Equal(t, id, revoked["key_id"])
}

// TestRevocationReachesReplicas revokes at one replica and asks another.
func TestRevocationReachesReplicas(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	replica := apptest.StartOn(t, s.Database, nil)
	within := func(key string, status int) {
		t.Helper()
		require.Eventually(t, func() bool {
			answer, err := replica.WithKey(key).Try(t.Context(), http.MethodGet, "/v1/events", nil)
			return err == nil && answer.Status == status
		}, 5*time.Second, 20*time.Millisecond)
	}
	own := newTenant(t, s)
	id, key := newKey(t, s, own.Name, `{"scopes":["read"]}`)
	within(key, http.StatusOK)
	require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, "/v1/applications/"+own.Name+"/keys/"+id, "").Status)
	within(key, http.StatusUnauthorized)
	within(own.Read.Key, http.StatusOK)
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodPatch, "/v1/applications/"+own.Name, `{"disabled":true}`).Status)
	requireProblem(t, own.Read.Do(t, http.MethodGet, "/v1/events", ""), http.StatusUnauthorized, "unauthorized")
	within(own.Read.Key, http.StatusUnauthorized)
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodPatch, "/v1/applications/"+own.Name, `{"disabled":false}`).Status)
	within(own.Read.Key, http.StatusOK)
}
