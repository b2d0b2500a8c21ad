package pathindex_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/the-eye-events/the-eye/internal/pathindex"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMarked(t *testing.T) {
	t.Parallel()
	found, err := pathindex.MarkedPaths([]byte(`{"x-theeye":"indexed","properties":{
		"b":{"type":"object","properties":{"c.d":{"x-theeye":["mask","indexed"]},"e":{"x-theeye":"mask"}}},
		"a":{"x-theeye":"indexed","properties":{"x":{"x-theeye":"indexed"}}},
		"list":{"items":{"x-theeye":"indexed"}},"any":true,"odd":{"x-theeye":7}}}`))
	require.NoError(t, err)
	require.Equal(t, [][]string{{"a"}, {"a", "x"}, {"b", "c.d"}}, found)
	for _, none := range []string{`true`, `{}`, `{"properties":3}`} {
		found, err = pathindex.MarkedPaths([]byte(none))
		require.NoError(t, err)
		require.Empty(t, found)
	}

	_, err = pathindex.MarkedPaths([]byte(`{`))
	require.Error(t, err)
}

// fake records its calls.
type fake struct {
	paths  []pathindex.Path
	unread error
	failed error
	hold   bool
	asked  [][]pathindex.Path
}

func (f *fake) WantedPaths(context.Context) ([]pathindex.Path, error) { return f.paths, f.unread }

func (f *fake) ReconcileIndexes(ctx context.Context, wanted []pathindex.Path) (pathindex.Result, error) {
	f.asked = append(f.asked, wanted)
	if f.hold {
		<-ctx.Done()
		return pathindex.Result{}, ctx.Err()
	}

	return pathindex.Result{Built: 1}, f.failed
}

func TestRounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{paths: []pathindex.Path{{"shop", "order", []string{"sku"}}}}
		m := pathindex.New(f, f, time.Minute, zap.NewNop())
		m.Start(t.Context())
		<-time.After(2*time.Minute + time.Second)
		m.Stop()
		m.Stop()
		require.Equal(t, [][]pathindex.Path{f.paths, f.paths, f.paths}, f.asked)

		f = &fake{hold: true}
		m = pathindex.New(f, f, time.Minute, zap.NewNop())
		m.Stop() // without Start
		m = pathindex.New(f, f, time.Minute, zap.NewNop())
		m.Start(t.Context())
		synctest.Wait()
		m.Stop()
		require.Len(t, f.asked, 1, "a running round is cut off")
	})
}

func TestWhatFailsIsLogged(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.WarnLevel)
	f := &fake{unread: errors.New("away")}
	m := pathindex.New(f, f, time.Minute, zap.New(core))
	m.RunRound(t.Context())
	require.Empty(t, f.asked, "nothing is dropped while the wanted paths are unknown")
	require.Equal(t, 1, logs.Len())
	f.unread, f.failed = nil, errors.New("away")
	m.RunRound(t.Context())
	require.Equal(t, 2, logs.Len())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	m.RunRound(ended)
	require.Equal(t, 2, logs.Len(), "a stopped round is not a failure")

	f.paths, f.failed = make([]pathindex.Path, pathindex.MaxPaths+1), nil
	m.RunRound(t.Context())
	require.Equal(t, 3, logs.Len())
	require.Len(t, f.asked[len(f.asked)-1], pathindex.MaxPaths)
}
