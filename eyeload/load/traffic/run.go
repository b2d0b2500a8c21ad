package traffic

import (
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/google/uuid"
)

// MaxEvents bounds the indexes of a run: an id has 42 bits for the index.
const MaxEvents = uint64(1) << 42

// Run identifies a run of the load tester. The ids of its events and sessions contain its tag,
// which distinguishes them from those of any other run.
type Run struct {
	started time.Time
	// key decides the run's ids, and seed the contents.
	key, seed uint64
	tag       uint32
}

// NewRun identifies a run. Runs with the same seed send the same contents with different ids,
// unless they start in the same microsecond.
func NewRun(seed uint64, started time.Time) Run {
	key := mixBits(mixBits(seed) ^ uint64(started.UnixMicro()))
	return Run{started: started, key: key, seed: seed, tag: uint32(key >> 32)}
}

// ID returns the id of the event at an index. It has the form of a UUIDv7 of the time at which
// the run started, and ids ascend with the index, like those of a client that makes one after
// another.
func (r Run) ID(index uint64) (id uuid.UUID) {
	const version7, variant = 0x7 << 12, 0x2 << 62

	const lowBits = 30
	millis := uint64(r.started.UnixMilli())
	binary.BigEndian.PutUint64(id[:8], millis<<16|version7|index>>lowBits)
	binary.BigEndian.PutUint64(id[8:], variant|(index&(1<<lowBits-1))<<32|uint64(r.tag))

	return id
}

// IndexOf returns the index of the event with an id. own is false for an id that is not of this
// run.
func (r Run) IndexOf(id uuid.UUID) (index uint64, own bool) {
	const highBits, lowBits = 0xfff, 30
	high := binary.BigEndian.Uint64(id[:8])
	low := binary.BigEndian.Uint64(id[8:])
	index = high&highBits<<lowBits | low>>32&(1<<lowBits-1)

	return index, id == r.ID(index)
}

// OwnsSession reports whether a session belongs to this run.
func (r Run) OwnsSession(id uuid.UUID) bool {
	return binary.BigEndian.Uint32(id[12:]) == r.tag
}

// SessionSuffix returns the end of the ids of all sessions of the run.
func (r Run) SessionSuffix() string {
	return hex.EncodeToString(binary.BigEndian.AppendUint32(nil, r.tag))
}

// sessionID makes the id of a session, in the form of a UUIDv4.
func (r Run) sessionID(parts ...uint64) (id uuid.UUID) {
	const version4, variant = 0x4 << 12, 0x2 << 62

	h := r.key
	for _, part := range parts {
		h = mixBits(h ^ part)
	}

	low := mixBits(h)
	binary.BigEndian.PutUint64(id[:8], h&^uint64(0xf000)|version4)
	binary.BigEndian.PutUint64(id[8:], variant|low&(1<<30-1)<<32|uint64(r.tag))

	return id
}

// mixBits is the finalizer of SplitMix64: every bit of the input affects every bit of the
// output.
func mixBits(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb

	return x ^ x>>31
}

// randomSource is a sequence of random numbers that follows from its start.
type randomSource uint64

func (d *randomSource) nextUint64() uint64 {
	*d++
	return mixBits(uint64(*d))
}

// drawInt returns a number from 0 to n-1.
func (d *randomSource) drawInt(n int) int { return int(d.nextUint64() % uint64(n)) } //nolint:gosec // below n

// drawFloat returns a number from 0 to 1, without 1.
func (d *randomSource) drawFloat() float64 { return float64(d.nextUint64()>>11) / (1 << 53) }
