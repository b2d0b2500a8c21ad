package main_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// An interrupted export reports the interruption and how much it wrote, and saves the cursor.
// It does not blame the service.
func TestAnExportIsInterrupted(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, `{"event_id":"1"}`+"\n"+`{"next":"A","more":true}`+"\n"+`{"event_id":"2"}`+"\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	for _, c := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}} {
		cursorFile := filepath.Join(t.TempDir(), "cursor")
		r := start(t, []string{"THEEYE_URL=" + server.URL, "THEEYE_KEY=key"}, "export", "--cursor-file", cursorFile)
		r.await(t, `{"event_id":"1"}`)
		require.Eventually(t, func() bool { _, err := os.Stat(cursorFile); return err == nil }, time.Minute, 10*time.Millisecond)
		require.Equal(t, c.code, r.stop(t, c.signal))
		require.True(t, strings.HasSuffix(r.log.String(), "\ntheeye: interrupted; events written: 1\n"), "%s", r.log)
		kept, err := os.ReadFile(cursorFile)
		require.NoError(t, err)
		require.Equal(t, "A\n", string(kept))
	}
}

// A command that waits for the database when it is interrupted ends at once, and reports only
// the interruption.
func TestACommandOnTheDatabaseIsInterrupted(t *testing.T) {
	t.Parallel()
	plan := filepath.Join(t.TempDir(), "plan.yaml")
	require.NoError(t, os.WriteFile(plan, []byte("category: shop\nname: buy\nmode: enforce\nschema: {required: [price]}\n"), 0o600))
	for name, c := range map[string]struct {
		arguments []string
		says      string
	}{
		"replay": {
			[]string{"rejection", "replay", "--all"},
			`{"matched":0,"stored":0,"duplicates":0,"rejected":0,"skipped":0}` + "\ntheeye: interrupted; the totals count the finished errors; the others can be processed again after a minute\n",
		},
		"preview": {[]string{"event-type", "preview", "-f", plan}, ""},
		"list":    {[]string{"rejection", "list", "--json"}, ""},
		"count":   {[]string{"app", "list"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := pgtest.New(t)
			pool := database.Pool(t)
			tx, err := pool.Begin(t.Context())
			require.NoError(t, err)
			t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
			_, err = tx.Exec(t.Context(), "lock table event, rejection, application in access exclusive mode")
			require.NoError(t, err)
			r := start(t, []string{"THEEYE_DATABASE_URL=" + database.DSN()}, c.arguments...)
			require.Eventually(t, func() bool {
				var waits bool
				err := pool.QueryRow(context.Background(), `
					select exists (select from pg_locks where not granted and database = (select oid from pg_database where datname = current_database()))`).Scan(&waits)
				return err == nil && waits
			}, time.Minute, 10*time.Millisecond)
			require.Equal(t, 130, r.stop(t, syscall.SIGINT))
			require.Equal(t, c.says, r.log.String())
		})
	}
}
