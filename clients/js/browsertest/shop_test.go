//go:build browser

package browsertest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/program"
)

// The pages and the backend of the example feed one session, in the order in which things
// happened.
func TestShop(t *testing.T) {
	t.Parallel()
	b := openTestbed(t)
	s := b.openStage(t)
	shop := s.startShop(t)

	var saw struct{ Session string }
	s.play(t, "order", map[string]any{"shop": shop}, &saw)

	timeline := func() (happened []string) {
		answer := b.service.Do(t, http.MethodGet, "/v1/sessions/"+saw.Session+"/events", "")
		var page struct {
			Events []struct{ Category, Name string }
		}
		require.NoError(t, json.Unmarshal(answer.Body, &page), "%s", answer.Body)
		for _, event := range page.Events {
			happened = append(happened, event.Category+" "+event.Name)
		}

		return happened
	}
	require.Eventually(t, func() bool { return len(timeline()) == 6 }, patience, step, "%v", timeline())
	require.Equal(t, []string{"page view", "product chosen", "page view", "order sent", "order placed", "page view"}, timeline())
}

// startShop builds and starts the example until the test ends, and returns its address.
func (s *stage) startShop(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shop")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../../../examples/shop", "-o", path, ".")
	text, err := build.CombinedOutput()
	require.NoError(t, err, "%s", text)

	answer := s.service.Do(t, http.MethodPost, "/v1/applications/"+siteApplication+"/keys", `{"public":true,"any_origin":true}`)
	var public struct{ Key string }
	require.NoError(t, json.Unmarshal(answer.Body, &public), "%s", answer.Body)

	address := program.FreeAddress(t)
	command := exec.CommandContext(context.Background(), path)
	command.Env = []string{
		"THEEYE_URL=" + s.service.URL, "THEEYE_INGEST_KEY=" + s.service.Ingest, "THEEYE_PUBLIC_KEY=" + public.Key,
		"SHOP_LISTEN=" + address, "SHOP_SPOOL=" + t.TempDir(),
	}
	command.Stderr = os.Stderr
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		require.NoError(t, command.Process.Signal(syscall.SIGTERM))
		require.NoError(t, command.Wait())
	})
	require.Eventually(t, func() bool {
		response, err := http.Get("http://" + address) //nolint:noctx // it is asked until it answers
		if err != nil {
			return false
		}

		return response.Body.Close() == nil
	}, patience, step)

	return "http://" + address
}
