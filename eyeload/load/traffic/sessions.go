package traffic

import (
	"math"
	"sort"

	"github.com/the-eye-events/the-eye/internal/event"
)

// slots are the places that sessions live in, one after the other. Which slot an
// event falls into is drawn by Zipf's law; which session lives there follows from
// the event's index.
type slots struct {
	run Run
	// upTo sums the shares of the slots up to each.
	upTo []float64
	// life is how long a session lives in each slot, in events of the whole run, and
	// offset keeps the slots from changing all at once.
	life, offset []uint64
}

// The events of a session, on average: between the two, by slot.
const (
	shortest = 5
	longest  = 60
)

func newSlots(run Run, n int) *slots {
	const exponent = 0.8
	s := &slots{run: run, upTo: make([]float64, n), life: make([]uint64, n), offset: make([]uint64, n)}
	sum := 0.0
	for i := range n {
		sum += math.Pow(float64(i+1), -exponent)
		s.upTo[i] = sum
	}
	d := dice(mix(run.seed))
	below := 0.0
	for i := range n {
		s.upTo[i] /= sum
		events := float64(shortest + d.below(longest-shortest+1))
		s.life[i] = uint64(math.Ceil(events / (s.upTo[i] - below)))
		s.offset[i] = d.next() % s.life[i]
		below = s.upTo[i]
	}
	return s
}

func (s *slots) event(index uint64, scratch []byte) event.Event {
	d := dice(mix(s.run.seed) ^ mix(index))
	slot := min(sort.SearchFloat64s(s.upTo, d.share()), len(s.upTo)-1)
	e := pick(&d, scratch)
	e.SessionID = s.run.session(uint64(slot), (index+s.offset[slot])/s.life[slot]) //nolint:gosec // not negative
	return e
}
