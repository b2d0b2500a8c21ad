package httpapi

import (
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/fault"
)

const (
	// smallResponse is how large an answer is that nobody counts.
	smallResponse = 64 << 10
	// responseShares is how many keys it takes to fill the memory of answers.
	responseShares = 4
)

// responseMemory bounds what is held of answers that are on their way to clients: who asks for
// much and reads nothing holds a page for a minute. It is safe for concurrent use.
type responseMemory struct {
	limit int64
	mu    sync.Mutex
	held  int64
	byKey map[string]int64
}

// reserveResponse takes room for an answer, or for the next part of one, in the place of what the
// request held before. One answer of each key is let through whatever its size.
func (a *responseMemory) reserveResponse(c *gin.Context, size int) error {
	x, n := requestStateOf(c), int64(size)
	if n <= smallResponse || x.caller == nil {
		n = 0
	}

	if n == 0 && x.responseBytes == 0 {
		return nil
	}

	key := x.caller.KeyID
	a.mu.Lock()
	defer a.mu.Unlock()

	a.adjustHeld(key, -x.responseBytes)
	x.responseBytes = 0
	if others := a.byKey[key]; others > 0 && (others+n > a.limit/responseShares || a.held+n > a.limit) {
		return fault.NewUnavailable(nil, fault.CodeOverloaded, "too many answers to this key are being read, slowly; ask again when some were, or for less", time.Second)
	}

	x.responseBytes = n
	a.adjustHeld(key, n)
	return nil
}

// releaseResponse gives back what a request took.
func (a *responseMemory) releaseResponse(c *gin.Context) {
	if x := requestStateOf(c); x.responseBytes > 0 {
		a.mu.Lock()
		defer a.mu.Unlock()

		a.adjustHeld(x.caller.KeyID, -x.responseBytes)
	}
}

func (a *responseMemory) adjustHeld(key string, n int64) {
	a.held += n
	if a.byKey[key] += n; a.byKey[key] == 0 {
		delete(a.byKey, key)
	}
}
