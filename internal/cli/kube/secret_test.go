package kube_test

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/the-eye-events/the-eye/internal/cli/kube"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// api is a Kubernetes API with one Secret.
func api(t *testing.T, handler http.HandlerFunc) *kube.Client {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	folder := t.TempDir()
	for name, text := range map[string]string{
		"token": "t0ken\n", "namespace": "eye",
		"ca.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}

	config, err := kube.InClusterConfig(at.Hostname(), at.Port(), folder)
	require.NoError(t, err)
	client, err := kube.New(config)
	require.NoError(t, err)
	return client
}

func TestFillWritesOnlyOnTopOfWhatWasRead(t *testing.T) {
	t.Parallel()
	var patch map[string]any
	client := api(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t0ken" || r.URL.Path != "/api/v1/namespaces/eye/secrets/eye-admin" {
			w.WriteHeader(http.StatusForbidden)
			return
		}

		if r.Method == http.MethodPatch {
			if r.Header.Get("Content-Type") != "application/merge-patch+json" || json.NewDecoder(r.Body).Decode(&patch) != nil {
				w.WriteHeader(http.StatusUnsupportedMediaType)
				return
			}
		}

		_, _ = io.WriteString(w, `{"metadata":{"resourceVersion":"7"},"data":{"other":"eA=="}}`)
	})
	secret, err := client.ReadSecret(t.Context(), "eye-admin")
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"other": []byte("x")}, secret.Data)
	require.NoError(t, client.FillSecret(t.Context(), secret, map[string][]byte{"key": []byte("eye_1")}))
	require.Equal(t, map[string]any{
		"metadata": map[string]any{"resourceVersion": "7"}, "data": map[string]any{"key": "ZXllXzE="},
	}, patch)

	patch = nil
	require.ErrorIs(t, client.FillSecret(t.Context(), secret, map[string][]byte{"other": []byte("y")}), kube.ErrConflict)
	require.Nil(t, patch, "what is there is not replaced")
}

func TestWhatTheAPIRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		err    error
		says   string
	}{
		{404, `{"message":"secrets \"a\" not found"}`, kube.ErrNoSecret, `"a" not found`},
		{409, `{"message":"the object has been modified"}`, kube.ErrConflict, "modified"},
		{403, `{"message":"cannot patch resource"}`, kube.ErrRejected, "403: cannot patch resource"},
		{403, `<html>`, kube.ErrRejected, "Forbidden"},
	} {
		client := api(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		_, err := client.ReadSecret(t.Context(), "a")
		require.ErrorIs(t, err, c.err)
		require.ErrorContains(t, err, c.says)
		require.NotContains(t, err.Error(), "t0ken")
	}

	client := api(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	err := client.FillSecret(t.Context(), kube.Secret{Name: "a"}, nil)
	require.Error(t, err)
	require.NotErrorIs(t, err, kube.ErrRejected, "it may have been written")
	require.NotErrorIs(t, err, kube.ErrConflict)
}

func TestOutsideOfACluster(t *testing.T) {
	t.Parallel()
	_, err := kube.InClusterConfig("", "", t.TempDir())
	require.ErrorIs(t, err, kube.ErrNotInCluster)
	_, err = kube.InClusterConfig("10.0.0.1", "443", t.TempDir())
	require.ErrorIs(t, err, kube.ErrNotInCluster)
	_, err = kube.New(kube.Config{CA: []byte("none")})
	require.ErrorIs(t, err, kube.ErrNotInCluster)
}
