package chaos

import (
	"context"
	"fmt"
	"time"
)

// some picks the wires that are hit: one of them, or all.
func (s *site) some() (hit []*wire, on string) {
	n := s.random.IntN(len(s.wires) + 1)
	if n == len(s.wires) {
		return s.wires, "both wires"
	}
	return s.wires[n : n+1], "the wire of service " + s.instances[n].name // with one server each has one
}

func dropConnections(ctx context.Context, s *site) (damage, error) {
	hit, on := s.some()
	return s.disturb(ctx, on, 0, func(context.Context) error {
		for _, w := range hit {
			w.drop()
		}
		return nil
	})
}

// blackHole lets nothing through, and nobody is told. When it is over, either all that
// was sent arrives late, or the connections are found to be gone.
func blackHole(_ context.Context, s *site) (damage, error) {
	hit, on := s.some()
	gone := s.random.IntN(2) == 0
	if gone {
		on += ", connections gone afterwards"
	}
	for _, w := range hit {
		w.hole.Store(true)
	}
	return damage{on: on, heal: func(context.Context) error {
		for _, w := range hit {
			if gone {
				w.drop()
			}
			w.hole.Store(false)
		}
		return nil
	}}, nil
}

func slowWire(by time.Duration) func(context.Context, *site) (damage, error) {
	return func(_ context.Context, s *site) (damage, error) {
		hit, on := s.some()
		for _, w := range hit {
			w.delay.Store(int64(by))
		}
		return damage{on: fmt.Sprintf("%s, each way", on), heal: func(context.Context) error {
			for _, w := range hit {
				w.delay.Store(0)
			}
			return nil
		}}, nil
	}
}
