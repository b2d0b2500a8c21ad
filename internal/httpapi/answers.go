package httpapi

import (
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/fault"
)

const (
	// smallAnswer is how large an answer is that nobody counts.
	smallAnswer = 64 << 10
	// answerShares is how many keys it takes to fill the memory of answers.
	answerShares = 4
)

// answers bounds what is held of answers that are on their way to clients: who asks for
// much and reads nothing holds a page for a minute. It is safe for concurrent use.
type answers struct {
	memory int64
	mu     sync.Mutex
	held   int64
	byKey  map[string]int64
}

// hold takes room for an answer, or for the next part of one, in the place of what the
// request held before. One answer of each key is let through whatever its size.
func (a *answers) hold(c *gin.Context, size int) error {
	x, n := exchangeOf(c), int64(size)
	if n <= smallAnswer || x.caller == nil {
		n = 0
	}
	if n == 0 && x.answering == 0 {
		return nil
	}
	key := x.caller.KeyID
	a.mu.Lock()
	defer a.mu.Unlock()
	a.add(key, -x.answering)
	x.answering = 0
	if others := a.byKey[key]; others > 0 && (others+n > a.memory/answerShares || a.held+n > a.memory) {
		return fault.Busy(nil, fault.CodeOverloaded, "too many answers to this key are being read, slowly; ask again when some were, or for less", time.Second)
	}
	x.answering = n
	a.add(key, n)
	return nil
}

// release gives back what a request took.
func (a *answers) release(c *gin.Context) {
	if x := exchangeOf(c); x.answering > 0 {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.add(x.caller.KeyID, -x.answering)
	}
}

func (a *answers) add(key string, n int64) {
	a.held += n
	if a.byKey[key] += n; a.byKey[key] == 0 {
		delete(a.byKey, key)
	}
}
