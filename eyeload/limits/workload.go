package limits

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
)

// payload is the payload of every event: 160 bytes, as in a page view.
const payload = `{"host":"www.example.com","path":"/products/shoes/running","referrer":"https://www.example.com/",` +
	`"load_ms":123.25,"viewport":{"w":1440,"h":900},"tags":["a","b"]}`

// Workload describes the requests of a load.
type Workload struct {
	// Batch is the number of events in a request; 1 sends single objects.
	Batch int
	// Sessions is the number of sessions of the events, chosen with the skew of real users
	// (zipf 1.1). 1 is the hot case: every event in one session.
	Sessions int
	// Payload is the length of data in bytes; 0 stands for a page view, 160 bytes.
	Payload int
}

// eventData returns the payload of every event. Long payloads consist of text that does not
// compress well.
func (w Workload) eventData() string {
	if w.Payload <= len(payload) {
		return payload
	}

	source := rand.New(rand.NewPCG(2, 2)) //nolint:gosec // the load has to be the same in every run
	var b strings.Builder
	b.WriteString(`{"text":"`)
	for b.Len() < w.Payload-len(`"}`) {
		fmt.Fprintf(&b, "%x ", source.Uint32())
	}

	b.WriteString(`"}`)

	return b.String()
}

// generator makes the events of one client, with ids as clients make them and the current time.
// It is not safe for concurrent use.
type generator struct {
	load Workload
	data string
	zipf *rand.Zipf
	now  func() time.Time
	ids  idSource
}

// newGenerator returns the generator of client number seed.
func newGenerator(load Workload, seed uint64, now func() time.Time) *generator {
	source := rand.New(rand.NewPCG(1, seed)) //nolint:gosec // the load has to be the same in every run
	g := &generator{load: load, data: load.eventData(), now: now, ids: idSource{random: source}}
	if load.Sessions > 1 {
		g.zipf = rand.NewZipf(source, 1.1, 1, uint64(load.Sessions-1))
	}

	return g
}

// idSource makes UUIDv7s cheaply (RFC 9562), because the load generator shares the machine with
// the measured processes.
type idSource struct {
	random *rand.Rand
}

func (s *idSource) nextID(at time.Time) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|s.random.Uint64()&0xfff)
	binary.BigEndian.PutUint64(id[8:], s.random.Uint64())
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80

	return id
}

// drawSession draws a session. The last byte, which chooses the lane, is as evenly distributed
// as in a random UUID.
func (g *generator) drawSession() (id uuid.UUID) {
	n := uint64(1)
	if g.zipf != nil {
		n = g.zipf.Uint64() + 1
	}

	binary.BigEndian.PutUint64(id[:8], 0x0190163d8694739b)
	binary.BigEndian.PutUint64(id[8:], n*0x9e3779b97f4a7c15)

	return id
}

// The constant parts of an event's text.
const (
	eventHead   = `{"event_id":"`
	sessionHead = `","session_id":"`
	timeHead    = `","category":"page","name":"view","timestamp":"`
	dataHead    = `","data":`
	timeLayout  = "2006-01-02T15:04:05.000000Z"
)

// appendEvent appends one event in the form of the API.
func (g *generator) appendEvent(b []byte) []byte {
	at := g.now().UTC()
	b = appendID(append(b, eventHead...), g.ids.nextID(at))
	b = appendID(append(b, sessionHead...), g.drawSession())
	b = at.AppendFormat(append(b, timeHead...), timeLayout)
	b = append(append(b, dataHead...), g.data...)

	return append(b, '}')
}

// appendBody appends the body of one request.
func (g *generator) appendBody(b []byte) []byte {
	if g.load.Batch <= 1 {
		return g.appendEvent(b)
	}

	for i := range g.load.Batch {
		if i == 0 {
			b = append(b, '[')
		} else {
			b = append(b, ',')
		}

		b = g.appendEvent(b)
	}

	return append(b, ']')
}

// appendRequest appends a complete HTTP/1.1 request. The length is filled in once the body is
// known.
func (g *generator) appendRequest(b []byte, host, key string) []byte {
	b = fmt.Appendf(b, "POST /v1/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: ", host, key)
	at := len(b)
	b = append(b, "00000000\r\n\r\n"...)
	body := len(b)
	b = g.appendBody(b)
	copy(b[at:at+8], fmt.Sprintf("%08d", len(b)-body))

	return b
}

// appendID appends the text of a UUID.
func appendID(b []byte, id uuid.UUID) []byte {
	b = append(hex.AppendEncode(b, id[:4]), '-')
	b = append(hex.AppendEncode(b, id[4:6]), '-')
	b = append(hex.AppendEncode(b, id[6:8]), '-')
	b = append(hex.AppendEncode(b, id[8:10]), '-')

	return hex.AppendEncode(b, id[10:])
}
