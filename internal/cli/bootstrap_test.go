package cli_test

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/cli"
	"github.com/the-eye-events/the-eye/internal/cli/kube"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// secretServer is a Kubernetes API with one Secret, whose version rejects a change if the
// Secret was changed since.
type secretServer struct {
	mu      sync.Mutex
	version string
	data    map[string][]byte
	// gate, if set, is called by every read.
	gate *sync.WaitGroup
	// answer, if not 0, is the status of the answer to a change, after the change was made.
	answer int
	deny   bool
}

type secretObject struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"` //nolint:tagliatelle // Kubernetes' name
	} `json:"metadata"`
	Data map[string][]byte `json:"data"`
}

func (s *secretServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && s.gate != nil {
		s.gate.Done()
		s.gate.Wait()
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	if r.Method == http.MethodPatch {
		var patch secretObject
		if err := json.NewDecoder(r.Body).Decode(&patch); err != nil || s.deny {
			w.WriteHeader(http.StatusForbidden)
			return
		}

		if patch.Metadata.ResourceVersion != s.version {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"message":"the object has been modified"}`)
			return
		}

		s.version, s.data = s.version+"1", patch.Data
		if s.answer != 0 {
			w.WriteHeader(s.answer)
			return
		}
	}

	found := secretObject{Data: s.data}
	found.Metadata.ResourceVersion = s.version
	_ = json.NewEncoder(w).Encode(found) //nolint:errchkjson // it can be rendered
}

func startSecretServer(t *testing.T, s *secretServer) kube.Config {
	t.Helper()
	s.version = "1"
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	return kube.Config{
		URL: server.URL, Namespace: "eye", Token: "t0ken",
		CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}
}

// activeKeys returns the ids of the keys that are not revoked.
func activeKeys(t *testing.T, c config.Config) (ids []string) {
	t.Helper()
	require.NoError(t, cli.WithAdmin(t.Context(), c, func(r *access.Registry) error {
		keys, err := r.ListKeys(t.Context(), "shop")
		for _, key := range keys {
			if key.RevokedAt == nil {
				require.Equal(t, []access.Scope{access.ScopeAdmin}, key.Scopes)
				ids = append(ids, key.ID)
			}
		}

		return err
	}))
	return ids
}

func requireKept(t *testing.T, s *secretServer, c config.Config) {
	t.Helper()
	id, _, valid := access.ParseKey(string(s.data["key"]))
	require.True(t, valid)
	require.Equal(t, []string{id}, activeKeys(t, c), "the one key that lives is the one that is kept")
}

func TestBootstrapKeepsOneKey(t *testing.T) {
	t.Parallel()
	c := apptest.LoadConfig(t, pgtest.New(t), nil)
	s := &secretServer{}
	cluster := startSecretServer(t, s)
	o := cli.BootstrapOptions{Application: "shop", Secret: "eye-admin"}
	made, err := cli.BootstrapKey(t.Context(), c, cluster, o)
	require.NoError(t, err)
	require.True(t, made)
	requireKept(t, s, c)
	before := string(s.data["key"])
	made, err = cli.BootstrapKey(t.Context(), c, cluster, o)
	require.NoError(t, err)
	require.False(t, made)
	require.Equal(t, before, string(s.data["key"]))
	requireKept(t, s, c)
}

func TestBootstrapInParallelKeepsOneKey(t *testing.T) {
	t.Parallel()
	const runs = 4
	c := apptest.LoadConfig(t, pgtest.New(t), nil)
	s := &secretServer{gate: &sync.WaitGroup{}}
	s.gate.Add(runs)
	cluster := startSecretServer(t, s)
	failed := make(chan error, runs)
	for range runs {
		go func() {
			_, err := cli.BootstrapKey(t.Context(), c, cluster, cli.BootstrapOptions{Application: "shop", Secret: "eye-admin"})
			failed <- err
		}()
	}

	good := 0
	for range runs {
		if err := <-failed; err == nil {
			good++
		} else {
			require.ErrorIs(t, err, kube.ErrConflict)
		}
	}

	require.Equal(t, 1, good)
	requireKept(t, s, c)
}

func TestBootstrapRevokesWhatIsNotKept(t *testing.T) {
	t.Parallel()
	c := apptest.LoadConfig(t, pgtest.New(t), nil)
	o := cli.BootstrapOptions{Application: "shop", Secret: "eye-admin"}
	s := &secretServer{deny: true}
	_, err := cli.BootstrapKey(t.Context(), c, startSecretServer(t, s), o)
	require.ErrorIs(t, err, kube.ErrRejected)
	require.Empty(t, activeKeys(t, c))

	// The change was made and its answer lost: the stored key has to work.
	s = &secretServer{answer: http.StatusBadGateway}
	cluster := startSecretServer(t, s)
	_, err = cli.BootstrapKey(t.Context(), c, cluster, o)
	require.Error(t, err)
	requireKept(t, s, c)
	_, err = cli.BootstrapKey(t.Context(), c, cluster, o)
	require.NoError(t, err, "the next run finds it")
	requireKept(t, s, c)
}

func TestBootstrapTellsAKeyOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	o := cli.BootstrapOptions{Application: "shop", Secret: "eye-admin"}
	s := &secretServer{}
	cluster := startSecretServer(t, s)
	first := apptest.LoadConfig(t, pgtest.New(t), nil)
	_, err := cli.BootstrapKey(t.Context(), first, cluster, o)
	require.NoError(t, err)
	before := string(s.data["key"])

	second := apptest.LoadConfig(t, pgtest.New(t), nil)
	_, err = cli.BootstrapKey(t.Context(), second, cluster, o)
	require.ErrorIs(t, err, cli.ErrForeignKey)
	require.Equal(t, before, string(s.data["key"]))

	// An operator who has revoked the key, and uses another one, can still upgrade.
	require.NoError(t, cli.WithAdmin(t.Context(), first, func(r *access.Registry) error {
		return r.RevokeKey(t.Context(), "shop", activeKeys(t, first)[0])
	}))
	made, err := cli.BootstrapKey(t.Context(), first, cluster, o)
	require.NoError(t, err)
	require.False(t, made)
	require.Equal(t, before, string(s.data["key"]))
}
