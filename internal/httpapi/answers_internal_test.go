package httpapi

import (
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// What is held of answers that nobody reads is bounded, and a share of it for each key.
func TestUnreadAnswersAreBounded(t *testing.T) {
	t.Parallel()
	a := responseMemory{limit: 8 << 20, byKey: map[string]int64{}}
	request := func(key string) *gin.Context {
		c, _ := gin.CreateTestContext(httptest.NewRecorder())
		requestStateOf(c).caller = &access.Caller{KeyID: key}
		return c
	}
	refused := func(err error) {
		t.Helper()
		f, ok := fault.As(err)
		require.True(t, ok, "%v", err)
		require.Equal(t, fault.CodeOverloaded, f.Code)
	}
	first, second, third := request("a"), request("a"), request("a")
	require.NoError(t, a.reserveResponse(first, 1<<20))
	require.NoError(t, a.reserveResponse(first, 1<<20), "the next page takes the place of the last")
	require.NoError(t, a.reserveResponse(second, 1<<20))
	refused(a.reserveResponse(third, 1<<20))
	require.NoError(t, a.reserveResponse(third, smallResponse), "small ones are not counted")

	large := request("b")
	require.NoError(t, a.reserveResponse(large, 5<<20), "one of a key, whatever its size")
	refused(a.reserveResponse(request("b"), 100<<10))
	require.NoError(t, a.reserveResponse(request("c"), 1<<20))
	require.NoError(t, a.reserveResponse(request("d"), 1<<20))
	refused(a.reserveResponse(request("d"), 1<<20))

	refused(a.reserveResponse(first, 9<<20))
	a.releaseResponse(second)
	require.NoError(t, a.reserveResponse(third, 1<<20), "who was refused holds nothing")
	a.releaseResponse(third)
	require.Zero(t, a.byKey["a"])
	a.releaseResponse(large)
	require.Equal(t, int64(2<<20), a.held)
}
