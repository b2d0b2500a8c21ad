package traffic

import (
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/google/uuid"
)

// MaxEvents bounds the indexes of a run: an id has 42 bits for one.
const MaxEvents = uint64(1) << 42

// Run names a run of the load tester. The ids of its events and of its sessions
// carry its tag, so that they are told apart from those of any other run.
type Run struct {
	started time.Time
	// key decides on the run's ids, seed on the contents.
	key, seed uint64
	tag       uint32
}

// NewRun names a run. Runs with one seed send the same contents under ids of
// their own, as long as they did not start in the same microsecond.
func NewRun(seed uint64, started time.Time) Run {
	key := mixBits(mixBits(seed) ^ uint64(started.UnixMicro()))
	return Run{started: started, key: key, seed: seed, tag: uint32(key >> 32)}
}

// ID is the id of the event at an index. It has the form of a UUIDv7 of the time
// at which the run started, and ids ascend with the index, as those of a client
// do that makes them one after the other.
func (r Run) ID(index uint64) (id uuid.UUID) {
	const version7, variant = 0x7 << 12, 0x2 << 62
	const lowBits = 30
	millis := uint64(r.started.UnixMilli())
	binary.BigEndian.PutUint64(id[:8], millis<<16|version7|index>>lowBits)
	binary.BigEndian.PutUint64(id[8:], variant|(index&(1<<lowBits-1))<<32|uint64(r.tag))
	return id
}

// IndexOf tells which event of the run has an id. ours is false for an id that the
// run could not have given.
func (r Run) IndexOf(id uuid.UUID) (index uint64, ours bool) {
	const highBits, lowBits = 0xfff, 30
	high, low := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	index = high&highBits<<lowBits | low>>32&(1<<lowBits-1)
	return index, id == r.ID(index)
}

// OwnsSession tells whether a session is one of this run.
func (r Run) OwnsSession(id uuid.UUID) bool {
	return binary.BigEndian.Uint32(id[12:]) == r.tag
}

// SessionSuffix is how the text of the id of every session of the run ends.
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

// mixBits is the finalizer of SplitMix64: every bit of the input moves every bit of
// the output.
func mixBits(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// randomSource are random numbers that follow from where they begin.
type randomSource uint64

func (d *randomSource) nextUint64() uint64 {
	*d++
	return mixBits(uint64(*d))
}

// drawInt is a number from 0 to n-1.
func (d *randomSource) drawInt(n int) int { return int(d.nextUint64() % uint64(n)) } //nolint:gosec // below n

// drawFloat is a number from 0 to 1, without 1.
func (d *randomSource) drawFloat() float64 { return float64(d.nextUint64()>>11) / (1 << 53) }
