package access_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/access"
)

// slowStore answers after a while with the state at the time of the request.
type slowStore struct {
	*fakeStore
	takes time.Duration
}

func (s slowStore) ReadVersion(ctx context.Context) (int64, time.Time, error) {
	version, at, err := s.fakeStore.ReadVersion(ctx)
	<-time.After(s.takes)
	return version, at, err
}

func (s slowStore) ReadSnapshot(ctx context.Context) (access.Snapshot, error) {
	snapshot, err := s.fakeStore.ReadSnapshot(ctx)
	<-time.After(s.takes)
	return snapshot, err
}

// The age of the cache counts from the request to the store, because a key may be
// revoked before the answer: otherwise MaxAge would not bound how long a revoked key
// works.
func TestAgeCountsFromTheQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const takes = 900 * time.Millisecond
		store := slowStore{&fakeStore{}, takes}
		store.add(t, access.Application{ID: 1, Name: "shop"}, nil)
		directory := access.NewCache(access.Config{}, access.Deps{Store: store, Logger: zap.NewNop(), Now: time.Now})
		directory.Start(t.Context())
		defer directory.Stop()

		requireAge := func() {
			t.Helper()
			age, known := directory.Age()
			require.True(t, known)
			require.Equal(t, takes, age)
		}
		wait(2 * takes) // the version, and then all
		requireAge()
		wait(takes) // the version alone, which is the same
		requireAge()
	})
}

// The time of a comparison must not reveal how much of a key was right, and an unknown
// key is compared like a known one. No test can measure that and be trusted, so this
// one reads the code: the comparison is the library's, and nothing returns before it.
func TestKeysAreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "view.go", nil, 0)
	require.NoError(t, err)
	var compared, returned token.Pos
	ast.Inspect(file, func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncDecl); ok {
			return f.Name.Name == "findCaller"
		}

		switch n := n.(type) {
		case *ast.SelectorExpr:
			if n.Sel.Name == "ConstantTimeCompare" {
				compared = n.Pos()
			}
		case *ast.ReturnStmt:
			if returned == token.NoPos {
				returned = n.Pos()
			}
		case *ast.BinaryExpr:
			for _, side := range []ast.Expr{n.X, n.Y} {
				if star, ok := side.(*ast.StarExpr); ok {
					side = star.X
				}

				name, ok := side.(*ast.Ident)
				require.False(t, ok && name.Name == "hash", "the hash is compared by an operator")
			}
		}

		return true
	})
	require.NotEqual(t, token.NoPos, compared)
	require.Less(t, compared, returned)
}
