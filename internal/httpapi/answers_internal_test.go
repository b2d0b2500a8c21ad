package httpapi

import (
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// The memory of responses that clients do not read is bounded, with a share for each key.
func TestUnreadAnswersAreBounded(t *testing.T) {
	t.Parallel()
	a := responseMemory{limit: 8 << 20, byKey: map[string]int64{}}
	request := func(key string) *gin.Context {
		c, _ := gin.CreateTestContext(httptest.NewRecorder())
		requestStateOf(c).caller = &access.Caller{KeyID: key}
		return c
	}
	rejected := func(err error) {
		t.Helper()
		f, ok := fault.As(err)
		require.True(t, ok, "%v", err)
		require.Equal(t, fault.CodeOverloaded, f.Code)
	}
	first := request("a")
	second := request("a")
	third := request("a")
	require.NoError(t, a.reserveResponse(first, 1<<20))
	require.NoError(t, a.reserveResponse(first, 1<<20), "the next page takes the place of the last")
	require.NoError(t, a.reserveResponse(second, 1<<20))
	rejected(a.reserveResponse(third, 1<<20))
	require.NoError(t, a.reserveResponse(third, smallResponse), "small ones are not counted")

	large := request("b")
	require.NoError(t, a.reserveResponse(large, 5<<20), "one response of a key, whatever its size")
	rejected(a.reserveResponse(request("b"), 100<<10))
	require.NoError(t, a.reserveResponse(request("c"), 1<<20))
	require.NoError(t, a.reserveResponse(request("d"), 1<<20))
	rejected(a.reserveResponse(request("d"), 1<<20))

	rejected(a.reserveResponse(first, 9<<20))
	a.releaseResponse(second)
	require.NoError(t, a.reserveResponse(third, 1<<20), "a rejected request holds nothing")
	a.releaseResponse(third)
	require.Zero(t, a.byKey["a"])
	a.releaseResponse(large)
	require.Equal(t, int64(2<<20), a.held)
}
