package httpapi

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// Pace is how fast a body has to arrive: a client that sends it slowly holds the memory
// of what has arrived.
type Pace struct {
	// Rate is in bytes a second, on average since the body began. Zero sets no rate.
	Rate int
	// Grace is the time before the rate applies.
	Grace time.Duration
	// Longest bounds the whole body, as the server's ReadTimeout does.
	Longest time.Duration
}

// pacedBody extends the deadline of the connection as the body arrives.
type pacedBody struct {
	from    io.Reader
	pace    Pace
	control *http.ResponseController
	began   time.Time
	read    int64
}

// unpaced is the size up to which a body may arrive slowly, because it holds hardly any memory.
const unpaced = 4 << 10

// withPace returns a request's body, subject to the pace. The server clears the deadline when
// the body was read to its end, and drops the connection otherwise. For that it inspects the
// request's own body, which therefore stays in place.
func (b *bodyReader) withPace(c *gin.Context) io.ReadCloser {
	r := c.Request
	if b.pace.Rate == 0 || (r.ContentLength >= 0 && r.ContentLength <= unpaced) {
		return r.Body
	}

	return struct {
		io.Reader
		io.Closer
	}{&pacedBody{from: r.Body, pace: b.pace, control: http.NewResponseController(c.Writer), began: b.now()}, r.Body}
}

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	allowed := b.pace.Grace + time.Duration(float64(b.read)/float64(b.pace.Rate)*float64(time.Second))
	err := b.control.SetReadDeadline(b.began.Add(min(allowed, b.pace.Longest)))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err //nolint:wrapcheck // readFault says what it means
	}

	n, err := b.from.Read(p)
	b.read += int64(n)

	return n, err
}
