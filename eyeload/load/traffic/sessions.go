package traffic

import (
	"math"
	"sort"

	"github.com/the-eye-events/the-eye/internal/event"
)

// sessionSlots are places in which one session follows another. The slot of an event is drawn
// by Zipf's law; the session in it follows from the event's index.
type sessionSlots struct {
	run Run
	// cumulativeShare sums the shares of the slots up to each.
	cumulativeShare []float64
	// life is how long a session lives in each slot, in events of the whole run, and offset
	// keeps the slots from changing at the same time.
	life, offset []uint64
}

// The average number of events of a session is between these two, depending on the slot.
const (
	shortest = 5
	longest  = 60
)

func newSessionSlots(run Run, n int) *sessionSlots {
	const exponent = 0.8

	s := &sessionSlots{run: run, cumulativeShare: make([]float64, n), life: make([]uint64, n), offset: make([]uint64, n)}
	sum := 0.0
	for i := range n {
		sum += math.Pow(float64(i+1), -exponent)
		s.cumulativeShare[i] = sum
	}

	random := randomSource(mixBits(run.seed))
	below := 0.0
	for i := range n {
		s.cumulativeShare[i] /= sum
		events := float64(shortest + random.drawInt(longest-shortest+1))
		s.life[i] = uint64(math.Ceil(events / (s.cumulativeShare[i] - below)))
		s.offset[i] = random.nextUint64() % s.life[i]
		below = s.cumulativeShare[i]
	}

	return s
}

func (s *sessionSlots) makeEvent(index uint64, scratch []byte) event.Event {
	d := randomSource(mixBits(s.run.seed) ^ mixBits(index))
	slot := min(sort.SearchFloat64s(s.cumulativeShare, d.drawFloat()), len(s.cumulativeShare)-1)
	e := makeContent(&d, scratch)
	e.SessionID = s.run.sessionID(uint64(slot), (index+s.offset[slot])/s.life[slot]) //nolint:gosec // not negative

	return e
}
