package app

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
)

// NewID returns a UUIDv7 that holds the time to a 4096th of a millisecond (RFC 9562, 6.2,
// method 3). uuid.NewV7 does not go back when the clock does: after the clock was ahead,
// its ids would have a wrong time, and a rejected event is looked up by the time in its id.
func NewID() uuid.UUID { return newIDAt(time.Now()) }

func newIDAt(at time.Time) uuid.UUID {
	const version, fractions = 7 << 12, 1 << 12
	id := uuid.Must(uuid.NewRandom())
	fraction := at.Nanosecond() % int(time.Millisecond) * fractions / int(time.Millisecond)
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|version|uint64(fraction)) //nolint:gosec // of this age
	return id
}

// newRequestID returns a UUIDv7 for a request (RFC 9562). It need not be hard to guess, so
// it comes from the faster source.
func newRequestID() string {
	const counterBits = 0xfff
	var id uuid.UUID
	millisecond := uint64(time.Now().UnixMilli())
	binary.BigEndian.PutUint64(id[:8], millisecond<<16|7<<12|rand.Uint64()&counterBits) //nolint:gosec // see above
	binary.BigEndian.PutUint64(id[8:], 1<<63|rand.Uint64()>>2)                          //nolint:gosec // see above
	return id.String()
}

// newTraceID returns a W3C trace id. It need not be hard to guess.
func newTraceID() (id trace.TraceID) {
	const half = 8
	binary.BigEndian.PutUint64(id[:half], rand.Uint64())   //nolint:gosec // see above
	binary.BigEndian.PutUint64(id[half:], rand.Uint64()|1) //nolint:gosec // see above; zero is not allowed
	return id
}
