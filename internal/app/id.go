package app

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
)

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// newRequestID makes a UUIDv7 for every request (RFC 9562). Nothing depends on it
// being hard to guess, so it is drawn from the faster source.
func newRequestID() string {
	const counterBits = 0xfff
	var id uuid.UUID
	millisecond := uint64(time.Now().UnixMilli())
	binary.BigEndian.PutUint64(id[:8], millisecond<<16|7<<12|rand.Uint64()&counterBits) //nolint:gosec // see above
	binary.BigEndian.PutUint64(id[8:], 1<<63|rand.Uint64()>>2)                          //nolint:gosec // see above
	return id.String()
}

// newTraceID makes a W3C trace id. Nothing depends on it being hard to guess.
func newTraceID() (id trace.TraceID) {
	const half = 8
	binary.BigEndian.PutUint64(id[:half], rand.Uint64())   //nolint:gosec // see above
	binary.BigEndian.PutUint64(id[half:], rand.Uint64()|1) //nolint:gosec // see above; zero is not allowed
	return id
}
