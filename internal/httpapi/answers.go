package httpapi

import (
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/fault"
)

const (
	// smallResponse is the size up to which a response is not counted.
	smallResponse = 64 << 10
	// responseShares is the number of keys that can fill the memory of responses.
	responseShares = 4
)

// responseMemory bounds the memory of responses that are being sent: a client that requests much
// and reads nothing holds a page for a minute. It is safe for concurrent use.
type responseMemory struct {
	limit int64
	mu    sync.Mutex
	held  int64
	byKey map[string]int64
}

// reserveResponse reserves memory for a response, or for the next part of one, in place of the
// memory that the request held before. One response of each key is admitted whatever its size.
func (a *responseMemory) reserveResponse(c *gin.Context, size int) error {
	x := requestStateOf(c)
	n := int64(size)
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

// releaseResponse releases the memory that a request reserved.
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
