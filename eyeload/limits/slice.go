package limits

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/pgcopy"
)

// The shape of the sessions of a data set.
const (
	meanSession = 20
	// Each slice that is large enough has one long session with so many events.
	leastLong, mostLong = 1_000, 3_000
	roomForLong         = 4 * mostLong
	// The mean times between two events of a session, in microseconds.
	typicalPause, longPause = 20e6, 5e6

	categories = 40
	// skew is the exponent of the distributions of categories and names: the commonest
	// category has a third of the events, the rarest one in four hundred.
	skew = 1.3
)

// sliceMaker makes the rows of one slice after another. A slice depends only on the seed and
// its number.
type sliceMaker struct {
	seed        uint64
	application int32
	types       [categories][]eventType

	random   *rand.Rand
	sessions []madeSession
	events   []madeEvent

	// keyRows, sessionRows and eventRows are rendered as COPY reads them.
	keyRows     []byte
	sessionRows []byte
	eventRows   []byte
	data        []byte
}

type eventType struct{ category, name string }

type madeSession struct {
	id          uuid.UUID
	count       int64
	first, last int64
}

type madeEvent struct {
	at       int64
	session  int32
	sequence int32
}

func newSliceMaker(seed uint64, application int32) *sliceMaker {
	m := &sliceMaker{seed: seed, application: application}
	for c := range m.types {
		for n := range 3 + c%6 {
			m.types[c] = append(m.types[c], eventType{fmt.Sprintf("category-%02d", c), fmt.Sprintf("name-%d", n)})
		}
	}

	return m
}

// makeSlice makes the n-th slice: the events of sessions that begin between two times, all of
// them before the end of the data set. Times are in microseconds. The events are divided evenly
// among the transactions.
func (m *sliceMaker) makeSlice(n, events int, from, to, end int64, transactions []int64) {
	m.random = rand.New(rand.NewPCG(m.seed, uint64(n))) //nolint:gosec // has to be reproducible
	m.sessions = m.sessions[:0]
	m.events = m.events[:0]
	if events >= roomForLong {
		m.addSession(leastLong+m.random.IntN(mostLong-leastLong), longPause, from, to, end)
	}

	for len(m.events) < events {
		length := 1 + int(math.Log(1-m.random.Float64())/math.Log(1-1.0/meanSession))
		m.addSession(min(length, events-len(m.events)), typicalPause, from, to, end)
	}

	slices.SortFunc(m.events, func(a, b madeEvent) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.session, b.session), cmp.Compare(a.sequence, b.sequence))
	})

	m.renderRows(transactions)
}

// addSession adds a session whose events are in the order of their timestamps.
func (m *sliceMaker) addSession(events int, pause float64, from, to, end int64) {
	at := from + m.random.Int64N(max(to-from, 1))
	first := len(m.events)
	for i := range events {
		if i > 0 {
			at += 1 + int64(m.random.ExpFloat64()*pause)
		}

		m.events = append(m.events, madeEvent{
			at:       at,
			session:  int32(len(m.sessions)), //nolint:gosec // below sliceEvents
			sequence: int32(i + 1),
		})
	}

	if over := at - end + 1; over > 0 { // it would end after the data set, so it begins earlier
		for i := range m.events[first:] {
			m.events[first+i].at -= over
		}

		at -= over
	}

	m.sessions = append(m.sessions, madeSession{
		id:    m.randomID(4),
		count: int64(events),
		first: m.events[first].at,
		last:  at,
	})
}

// randomID makes a random UUID of a version, with the bits that RFC 9562 fixes.
func (m *sliceMaker) randomID(version byte) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], m.random.Uint64())
	binary.BigEndian.PutUint64(id[8:], m.random.Uint64())
	id[6] = id[6]&0x0f | version<<4
	id[8] = id[8]&0x3f | 0x80

	return id
}

// timedID makes a UUIDv7, as a client does at the time of the event.
func (m *sliceMaker) timedID(at int64) uuid.UUID {
	id := m.randomID(7)
	milliseconds := uint64(at / 1000)                            //nolint:gosec // not before 1970
	binary.BigEndian.PutUint32(id[:4], uint32(milliseconds>>16)) //nolint:gosec // 48 bits have room until the year 10889
	binary.BigEndian.PutUint16(id[4:6], uint16(milliseconds&0xffff))

	return id
}

// renderRows writes the rows of the three tables.
func (m *sliceMaker) renderRows(transactions []int64) {
	const delay = 150_000 // between an event and its arrival

	category := rand.NewZipf(m.random, skew, 1, categories-1)
	var name [categories]*rand.Zipf
	for c := range name {
		name[c] = rand.NewZipf(m.random, skew, 1, uint64(len(m.types[c])-1)) //nolint:gosec // 3 to 8 names
	}

	keys := pgcopy.AppendHeader(m.keyRows[:0])
	events := pgcopy.AppendHeader(m.eventRows[:0])
	for n, e := range m.events {
		id := m.timedID(e.at)
		c := category.Uint64()
		kind := m.types[c][name[c].Uint64()]

		keys = pgcopy.AppendRow(keys, 2)
		keys = pgcopy.AppendBytes(keys, id[:])
		keys = appendMicroseconds(keys, e.at)

		events = pgcopy.AppendRow(events, 10)
		events = pgcopy.AppendBytes(events, id[:])
		events = pgcopy.AppendBytes(events, m.sessions[e.session].id[:])
		events = pgcopy.AppendInt64(events, int64(e.sequence))
		events = pgcopy.AppendBytes(events, kind.category)
		events = pgcopy.AppendBytes(events, kind.name)
		events = pgcopy.AppendJSONB(events, m.makePayload())
		events = appendMicroseconds(events, e.at)
		events = appendMicroseconds(events, e.at+delay+m.random.Int64N(delay))
		events = pgcopy.AppendInt32(events, m.application)
		events = pgcopy.AppendInt64(events, transactions[n*len(transactions)/len(m.events)])
	}

	sessions := pgcopy.AppendHeader(m.sessionRows[:0])
	for _, s := range m.sessions {
		sessions = pgcopy.AppendRow(sessions, 6)
		sessions = pgcopy.AppendBytes(sessions, s.id[:])
		sessions = pgcopy.AppendInt64(sessions, s.count)
		sessions = pgcopy.AppendInt64(sessions, s.count)
		sessions = appendMicroseconds(sessions, s.first)
		sessions = appendMicroseconds(sessions, s.last)
		sessions = appendInt32Array(sessions, m.application)
	}

	m.keyRows = pgcopy.AppendTrailer(keys)
	m.eventRows = pgcopy.AppendTrailer(events)
	m.sessionRows = pgcopy.AppendTrailer(sessions)
}

// appendMicroseconds appends a time in microseconds since 1970.
func appendMicroseconds(b []byte, at int64) []byte { return pgcopy.AppendTime(b, time.UnixMicro(at)) }

// makePayload makes the payload of a page view, some 170 bytes.
func (m *sliceMaker) makePayload() []byte {
	b := m.data[:0]
	b = append(b, `{"host":"www.example.com","path":"/products/`...)
	b = strconv.AppendInt(b, m.random.Int64N(100_000), 10)
	b = append(b, `/details","referrer":"https://www.example.com/","load_ms":`...)
	b = strconv.AppendInt(b, m.random.Int64N(4_000), 10)
	b = append(b, `.25,"viewport":{"w":1440,"h":900},"tags":["a","b"]}`...)
	m.data = b

	return b
}

// appendInt32Array appends an integer[] of one element: the dimensions, a flag for nulls, the
// type integer, the number of elements, and the index of the first.
func appendInt32Array(b []byte, value int32) []byte {
	const integerOID = 23

	b = binary.BigEndian.AppendUint32(b, 7*4)
	for _, field := range []uint32{1, 0, integerOID, 1, 1} {
		b = binary.BigEndian.AppendUint32(b, field)
	}

	return pgcopy.AppendInt32(b, value)
}
