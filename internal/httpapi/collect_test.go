package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

const shopOrigin = "https://shop.example"

// page sends from a page of an origin, with a public key.
type page struct {
	client *apptest.Client
	key    string
	origin string
}

func newPage(t testing.TB, s *apptest.Service, application, members string) page {
	t.Helper()
	_, key := newKey(t, s, application, `{"public":true`+members+`}`)
	require.True(t, strings.HasPrefix(key, "eyp_"), key)
	return page{s.WithKey(""), key, shopOrigin}
}

func (p page) post(t testing.TB, body string, header ...string) *apptest.Answer {
	t.Helper()
	all := append([]string{"Content-Type", "text/plain;charset=UTF-8", "Origin", p.origin}, header...)
	return p.client.Do(t, http.MethodPost, "/v1/collect?key="+url.QueryEscape(p.key), body, all...)
}

// The body says what it is, whatever its type: that is all a page can send without a preflight.
func TestCollectTakesEveryFormatUnderEveryType(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	web := newTenant(t, s, `"allowed_origins":["`+shopOrigin+`"]`)
	p := newPage(t, s, web.Name, "")
	for _, contentType := range []string{"text/plain", "text/plain;charset=UTF-8", "application/json", "application/json; charset=utf-8", "application/x-ndjson", ""} {
		lines := newEvent(t, newID()) + "\n" + newEvent(t, newID()) + "\n"
		for _, body := range []string{batchOf(newEvent(t, newID()), newEvent(t, newID())), "\n " + batchOf(newEvent(t, newID())), lines, " " + lines, "[\n" + newEvent(t, newID()) + ",\n" + newEvent(t, newID()) + "\n]"} {
			answer := p.post(t, body, "Content-Type", contentType)
			require.Equal(t, http.StatusCreated, answer.Status, "%s: %s", contentType, answer.Body)
			require.NotEmpty(t, at[[]any](t, answer.JSON(t), "results"))
		}

		single := newEvent(t, newID())
		answer := p.post(t, single, "Content-Type", contentType)
		require.Equal(t, http.StatusCreated, answer.Status, "%s: %s", contentType, answer.Body)
	}

	pretty := strings.ReplaceAll(newEvent(t, newID()), ",", ",\n")
	require.Equal(t, "stored", p.post(t, pretty).JSON(t)["status"], "an event on several lines is one event")

	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write([]byte(batchOf(newEvent(t, newID()))))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Equal(t, http.StatusCreated, p.post(t, packed.String(), "Content-Encoding", "gzip").Status)

	for _, wrong := range []string{"text/html", "application/x-www-form-urlencoded", "text/plain;charset=latin1"} {
		requireProblem(t, p.post(t, newEvent(t, newID()), "Content-Type", wrong), http.StatusUnsupportedMediaType, "unsupported_media_type")
	}

	require.Equal(t, http.StatusMultiStatus, p.post(t, batchOf(newEvent(t, newID()), `{"name":"x"}`)).Status)
	require.Equal(t, "batch_rejected", p.post(t, batchOf(`{"name":"x"}`)).JSON(t)["code"])
	requireProblem(t, p.client.Do(t, http.MethodPost, "/v1/collect?key="+p.key+"&colour=red", newEvent(t, newID()), "Origin", shopOrigin), http.StatusBadRequest, "unknown_parameter")
}

// A page learns why its events are not taken: from the status and the body, not from a network
// failure.
func TestEveryAnswerToAPageIsReadable(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, map[string]string{"access.failures_per_minute": "5"})
	web := newTenant(t, s, `"allowed_origins":["`+shopOrigin+`"]`)
	p := newPage(t, s, web.Name, `,"rate_limit":1`)
	readable := func(origin string, answer *apptest.Answer, status int, code string) {
		t.Helper()
		require.Equal(t, status, answer.Status, "%s", answer.Body)
		require.Equal(t, origin, answer.Header.Get("Access-Control-Allow-Origin"))
		require.Contains(t, answer.Header.Values("Vary"), "Origin")
		require.Equal(t, "Retry-After, Date, X-Request-Id", answer.Header.Get("Access-Control-Expose-Headers"))
		require.Empty(t, answer.Header.Get("Access-Control-Allow-Credentials"))
		_, err := http.ParseTime(answer.Header.Get("Date"))
		require.NoError(t, err)
		if code != "" {
			require.Equal(t, code, answer.JSON(t)["code"])
		}
	}
	elsewhere := page{p.client, p.key, "https://elsewhere.example"}
	nowhere := page{p.client, p.key, "null"}
	revokedID, revokedKey := newKey(t, s, web.Name, `{"public":true}`)
	require.Equal(t, http.StatusNoContent, s.Do(t, http.MethodDelete, "/v1/applications/"+web.Name+"/keys/"+revokedID, "").Status)
	revoked := page{p.client, revokedKey, shopOrigin}
	private := page{p.client, web.Ingest.Key, shopOrigin}

	readable(p.origin, p.post(t, newEvent(t, newID())), http.StatusCreated, "")
	readable(elsewhere.origin, elsewhere.post(t, newEvent(t, newID())), http.StatusForbidden, "origin_not_allowed")
	readable("null", nowhere.post(t, newEvent(t, newID())), http.StatusForbidden, "origin_not_allowed")
	requireProblem(t, p.client.Do(t, http.MethodPost, "/v1/collect?key="+p.key, newEvent(t, newID())), http.StatusForbidden, "origin_not_allowed")
	readable(p.origin, revoked.post(t, newEvent(t, newID())), http.StatusUnauthorized, "unauthorized")
	readable(p.origin, private.post(t, newEvent(t, newID())), http.StatusUnauthorized, "unauthorized")
	readable(p.origin, p.client.Do(t, http.MethodPost, "/v1/collect", "{}", "Origin", shopOrigin), http.StatusUnauthorized, "unauthorized")
	readable(p.origin, p.client.Do(t, http.MethodGet, "/v1/collect?key="+p.key, "", "Origin", shopOrigin), http.StatusMethodNotAllowed, "method_not_allowed")
	readable(p.origin, p.post(t, strings.Repeat(" ", 2<<20)), http.StatusRequestEntityTooLarge, "body_too_large")

	preflight := p.client.Do(t, http.MethodOptions, "/v1/collect?key="+p.key, "", "Origin", shopOrigin,
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
	readable(p.origin, preflight, http.StatusNoContent, "")
	require.Contains(t, preflight.Header.Get("Access-Control-Allow-Headers"), "Content-Type")
	preflight = p.client.Do(t, http.MethodOptions, "/v1/collect?key="+p.key, "", "Origin", elsewhere.origin, "Access-Control-Request-Method", "POST")
	readable(elsewhere.origin, preflight, http.StatusNoContent, "")
	require.Contains(t, preflight.Header.Get("Access-Control-Allow-Methods"), "POST", "the request itself says that the origin is not allowed")

	twice := exchange(t, dial(t, s), "POST /v1/collect?key="+p.key+" HTTP/1.1\r\nHost: a\r\nOrigin: "+p.origin+"\r\nContent-Type: text/plain\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n{}")
	require.Equal(t, http.StatusBadRequest, twice.status)
	require.Equal(t, p.origin, twice.header.Get("Access-Control-Allow-Origin"))

	for range 5 { // as many failures as a minute may have, with those above
		revoked.post(t, "{}")
	}

	readable(p.origin, revoked.post(t, "{}"), http.StatusTooManyRequests, "too_many_failures")
	disconnectDatabase(t, s)
	p2 := p.post(t, newEvent(t, newID()))
	readable(p.origin, p2, http.StatusServiceUnavailable, "")
	require.NotEmpty(t, p2.Header.Get("Retry-After"))

	var unknown *apptest.Answer
	require.Eventually(t, func() bool {
		unknown = p.post(t, newEvent(t, newID()))
		return strings.Contains(string(unknown.Body), "keys cannot be checked")
	}, patience, 10*time.Millisecond)
	readable(p.origin, unknown, http.StatusServiceUnavailable, "unavailable")
	require.Empty(t, unknown.Header.Get("WWW-Authenticate"), "the key may be valid")
}

// An address may send ten seconds' worth at once, and then at the key's rate.
func TestPublicKeyHasARateLimitForEachAddress(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	web := newTenant(t, s, `"allowed_origins":["`+shopOrigin+`"]`)
	p := newPage(t, s, web.Name, `,"rate_limit":1`)
	for range 10 {
		require.Equal(t, http.StatusCreated, p.post(t, newEvent(t, newID())).Status)
	}

	limited := p.post(t, newEvent(t, newID()))
	requireProblem(t, limited, http.StatusTooManyRequests, "rate_limited")
	require.Equal(t, "1", limited.Header.Get("Retry-After"))
	require.Equal(t, `"events";q=10;w=10`, limited.Header.Get("RateLimit-Policy"))
	require.Equal(t, `"events";r=0;t=1`, limited.Header.Get("RateLimit"))
	requireProblem(t, p.post(t, "no event at all"), http.StatusTooManyRequests, "rate_limited")

	another := newPage(t, s, web.Name, "")
	require.Equal(t, http.StatusCreated, another.post(t, newEvent(t, newID())).Status, "each key has limits of its own")
	require.Equal(t, http.StatusCreated, web.Ingest.Do(t, http.MethodPost, "/v1/events", newEvent(t, newID())).Status)
}

// A reader of a public key in a page learns nothing of what others stored.
func TestPublicKeyDoesNotTellWhatOthersStored(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	own := newTenant(t, s, `"allowed_origins":["`+shopOrigin+`"]`)
	other := newTenant(t, s)
	p := newPage(t, s, own.Name, "")
	id, session := newID(), newID()
	require.Equal(t, http.StatusCreated, other.Ingest.Do(t, http.MethodPost, "/v1/events", newEvent(t, session, "event_id", id, "data", map[string]any{"card": "secret-of-another"})).Status)

	same := newEvent(t, newID(), "event_id", id)
	batch := p.post(t, batchOf(same, newEvent(t, newID())))
	require.Equal(t, http.StatusMultiStatus, batch.Status, "%s", batch.Body)
	verdict := at[map[string]any](t, batch.JSON(t), "results", 0)
	require.Equal(t, "rejected", verdict["status"])
	require.Equal(t, "event_id_conflict", at[string](t, verdict, "errors", 0, "code"))
	require.NotContains(t, verdict, "sequence")

	single := p.post(t, same)
	requireProblem(t, single, http.StatusBadRequest, "invalid_event")
	require.Equal(t, []string{"/event_id event_id_conflict"}, reasons(t, single.JSON(t)))
	for _, answer := range []*apptest.Answer{batch, single} {
		for _, secret := range []string{"secret-of-another", session, other.Name} {
			require.NotContains(t, string(answer.Body), secret)
		}
	}

	require.Equal(t, http.StatusConflict, own.Ingest.Do(t, http.MethodPost, "/v1/events", same).Status, "a secret key learns it")
	listed := mustGet(t, own.Read, "/v1/errors?code=event_id_conflict")
	require.Len(t, at[[]any](t, listed, "errors"), 3, "operators see each of them")
}

// The limit of the application holds for pages and servers together.
func TestPublicKeySharesTheRateLimitOfItsApplication(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	web := newTenant(t, s, `"rate_limit":1,"allowed_origins":["`+shopOrigin+`"]`)
	p := newPage(t, s, web.Name, "")
	events := make([]string, 300) // leaves a debt of minutes
	for i := range events {
		events[i] = newEvent(t, newID())
	}

	require.Equal(t, http.StatusCreated, web.Ingest.Do(t, http.MethodPost, "/v1/events", batchOf(events...)).Status)
	limited := p.post(t, newEvent(t, newID()))
	requireProblem(t, limited, http.StatusTooManyRequests, "rate_limited")
	require.Equal(t, `"events";q=1;w=1`, limited.Header.Get("RateLimit-Policy"))
}

func TestAnyOriginIsForAppsWithoutOne(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	app := newTenant(t, s)
	without := newPage(t, s, app.Name, "")
	requireProblem(t, without.post(t, newEvent(t, newID())), http.StatusForbidden, "origin_not_allowed")
	requireProblem(t, without.client.Do(t, http.MethodPost, "/v1/collect?key="+without.key, newEvent(t, newID())), http.StatusForbidden, "origin_not_allowed")

	p := newPage(t, s, app.Name, `,"any_origin":true`)
	require.Equal(t, http.StatusCreated, s.WithKey("").Do(t, http.MethodPost, "/v1/collect?key="+p.key, newEvent(t, newID())).Status)
	require.Equal(t, http.StatusCreated, p.post(t, newEvent(t, newID())).Status)
}

// With registered_only the tables are not filled with types that were never registered.
func TestRegisteredOnlyRejectsOtherTypes(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	web := newTenant(t, s, `"allowed_origins":["`+shopOrigin+`"]`)
	p := newPage(t, s, web.Name, `,"registered_only":true`)
	refused := p.post(t, newEvent(t, newID(), "name", "made up"))
	requireProblem(t, refused, http.StatusBadRequest, "invalid_event")
	require.Equal(t, []string{"/name unknown_event_type"}, reasons(t, refused.JSON(t)))

	name := newType(t, s)
	stored := p.post(t, batchOf(newEvent(t, newID(), "category", "page", "name", name), newEvent(t, newID(), "category", "page", "name", "made up")))
	require.Equal(t, http.StatusMultiStatus, stored.Status, "%s", stored.Body)
	require.Equal(t, "stored", at[string](t, stored.JSON(t), "results", 0, "status"))
	require.Equal(t, "rejected", at[string](t, stored.JSON(t), "results", 1, "status"))

	again := newEvent(t, newID(), "event_id", newID(), "category", "page", "name", "made up")
	require.Equal(t, http.StatusCreated, web.Ingest.Do(t, http.MethodPost, "/v1/events", again).Status, "other keys are not affected")
	require.Equal(t, []string{"/name unknown_event_type"}, reasons(t, p.post(t, again).JSON(t)))
	readBack := strings.TrimSuffix(again, "}") + `,"sequence":1}`
	require.Equal(t, "duplicate", p.post(t, readBack).JSON(t)["status"], "what was read from the service is what is stored")
}

// A header would need a preflight, so the trace context of a page is a parameter.
func TestTraceContextIsAParameter(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	web := newTenant(t, s, `"allowed_origins":["`+shopOrigin+`"]`)
	p := newPage(t, s, web.Name, "")
	const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	answer := p.client.Do(t, http.MethodPost, "/v1/collect?key="+p.key+"&traceparent=00-"+traceID+"-00f067aa0ba902b7-01", newEvent(t, newID()), "Origin", shopOrigin)
	require.Equal(t, http.StatusCreated, answer.Status, "%s", answer.Body)
	id := at[string](t, answer.JSON(t), "event_id")
	require.Equal(t, traceID, mustGet(t, web.Read, "/v1/events/"+id+"/trace")["trace_id"])

	const other = "0af7651916cd43dd8448eb211c80319c"
	answer = p.post(t, newEvent(t, newID()), "Traceparent", "00-"+other+"-00f067aa0ba902b7-01")
	id = at[string](t, answer.JSON(t), "event_id")
	require.Equal(t, other, mustGet(t, web.Read, "/v1/events/"+id+"/trace")["trace_id"], "apps may send the header")
}

func TestPublicKeySpecIsChecked(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	web := newTenant(t, s)
	for spec, pointer := range map[string]string{
		`{"public":true,"scopes":["read"]}`:            "/scopes",
		`{"public":true,"organisation_wide":true}`:     "/organisation_wide",
		`{"public":true,"rate_limit":0}`:               "/rate_limit",
		`{"public":true,"rate_limit":1000001}`:         "/rate_limit",
		`{"scopes":["ingest"],"any_origin":true}`:      "/any_origin",
		`{"scopes":["ingest"],"registered_only":true}`: "/registered_only",
		`{"scopes":["ingest"],"rate_limit":5}`:         "/rate_limit",
		`{}`:                                           "/scopes",
	} {
		problem := requireProblem(t, s.Do(t, http.MethodPost, "/v1/applications/"+web.Name+"/keys", spec), http.StatusBadRequest, "invalid_request")
		require.Equal(t, pointer, at[string](t, problem, "errors", 0, "pointer"), spec)
	}

	made := s.Do(t, http.MethodPost, "/v1/applications/"+web.Name+"/keys", `{"public":true,"expires_at":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`)
	require.Equal(t, http.StatusCreated, made.Status, "%s", made.Body)
	require.Equal(t, true, made.JSON(t)["public"])
	require.Equal(t, json.Number("50"), made.JSON(t)["rate_limit"])
	require.Empty(t, at[[]any](t, made.JSON(t), "scopes"))

	id, _ := newKey(t, s, web.Name, `{"public":true,"any_origin":true,"registered_only":true,"rate_limit":7}`)
	detail := at[map[string]any](t, mustGet(t, s.Client, "/v1/audit?target="+id), "entries", 0, "detail")
	for name, want := range map[string]any{"public": true, "any_origin": true, "registered_only": true, "rate_limit": json.Number("7")} {
		require.Equal(t, want, detail[name], "the audit log says what the key allows: %s", name)
	}
}
