package app_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// accessLine is a log line about a request.
type accessLine struct {
	Level       string  `json:"level"`
	Message     string  `json:"message"`
	Method      string  `json:"method"`
	Route       string  `json:"route"`
	Status      int     `json:"status"`
	Took        float64 `json:"took"`
	Application string  `json:"application"`
	RequestID   string  `json:"request_id"`
	TraceID     string  `json:"trace_id"`
}

func accessLines(t *testing.T, log string) (lines []accessLine) {
	t.Helper()
	for text := range strings.Lines(log) {
		var line accessLine
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		if line.Message == "request" {
			lines = append(lines, line)
		}
	}

	return lines
}

// One request in N is logged, with the ids that lead to it, and every request that failed
// because of the service.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	const every, sent = 4, 12
	database := pgtest.New(t)
	c := apptest.LoadConfig(t, database, map[string]string{"log.access_every": "4", "http.budget": "300ms"})
	key := ""
	require.NoError(t, cli.WithAdmin(t.Context(), c, func(a *access.Registry) error {
		if _, err := a.CreateApplication(t.Context(), access.ApplicationSpec{Name: "shop"}); err != nil {
			return err
		}

		made, err := a.CreateKey(t.Context(), "shop", access.KeySpec{Scopes: []access.Scope{"ingest"}})
		key = made.Text
		return err
	}))
	out := &logged{}
	service, _ := startLogged(t, c, out)
	client := apptest.NewClient("http://"+service.Addr(), key)
	t.Cleanup(client.HTTP.CloseIdleConnections)
	session := uuid.New()
	for i := range sent {
		answer := client.Do(t, http.MethodPost, "/v1/events", eventJSON(session), "X-Request-Id", "request-"+string(rune('a'+i)),
			"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		require.Equal(t, http.StatusCreated, answer.Status)
	}

	lines := accessLines(t, out.String())
	require.Len(t, lines, sent/every)
	for i, line := range lines {
		require.Positive(t, line.Took)
		line.Took = 0
		require.Equal(t, accessLine{
			Level: "info", Message: "request", Method: "POST", Route: "/v1/events", Status: 201, Application: "shop",
			RequestID: "request-" + string(rune('a'+(i+1)*every-1)), TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
		}, line)
	}

	tx, err := database.Pool(t).Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) }) // the pool would wait for it
	_, err = tx.Exec(t.Context(), "select from session for update")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, client.Do(t, http.MethodPost, "/v1/events", eventJSON(session)).Status)
	require.NoError(t, tx.Rollback(t.Context()))
	lines = accessLines(t, out.String())
	require.Len(t, lines, sent/every+1)
	require.Equal(t, "warn", lines[sent/every].Level)
	require.Equal(t, 503, lines[sent/every].Status)
}
