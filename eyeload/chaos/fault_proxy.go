package chaos

import (
	"context"
	"fmt"
	"time"
)

// pickProxies picks the wires that are hit: one of them, or all.
func (s *testbed) pickProxies() (hit []*proxy, on string) {
	n := s.random.IntN(len(s.proxies) + 1)
	if n == len(s.proxies) {
		return s.proxies, "both wires"
	}

	return s.proxies[n : n+1], "the wire of service " + s.instances[n].name // with one server each has one
}

func dropConnections(ctx context.Context, s *testbed) (injection, error) {
	hit, on := s.pickProxies()
	return s.repeatUntilReverted(ctx, on, 0, func(context.Context) error {
		for _, w := range hit {
			w.dropConnections()
		}

		return nil
	})
}

// blackHoleProxies lets nothing through, and nobody is told. When it is over, either all that
// was sent arrives late, or the connections are found to be gone.
func blackHoleProxies(_ context.Context, s *testbed) (injection, error) {
	hit, on := s.pickProxies()
	gone := s.random.IntN(2) == 0
	if gone {
		on += ", connections gone afterwards"
	}

	for _, w := range hit {
		w.blackHoled.Store(true)
	}

	return injection{target: on, revert: func(context.Context) error {
		for _, w := range hit {
			if gone {
				w.dropConnections()
			}

			w.blackHoled.Store(false)
		}

		return nil
	}}, nil
}

func delayProxies(by time.Duration) func(context.Context, *testbed) (injection, error) {
	return func(_ context.Context, s *testbed) (injection, error) {
		hit, on := s.pickProxies()
		for _, w := range hit {
			w.delay.Store(int64(by))
		}

		return injection{target: fmt.Sprintf("%s, each way", on), revert: func(context.Context) error {
			for _, w := range hit {
				w.delay.Store(0)
			}

			return nil
		}}, nil
	}
}
