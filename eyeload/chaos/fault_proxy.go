package chaos

import (
	"context"
	"fmt"
	"time"
)

// pickProxies picks the proxies that are disturbed: one of them, or all.
func (s *testbed) pickProxies() (hit []*proxy, on string) {
	n := s.random.IntN(len(s.proxies) + 1)
	if n == len(s.proxies) {
		return s.proxies, "both wires"
	}

	return s.proxies[n : n+1], "the wire of service " + s.instances[n].name // with one server, each service has one
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

// blackHoleProxies lets nothing through, without a sign to either side. When it is reverted,
// either all bytes arrive late, or the connections turn out to be closed.
func blackHoleProxies(_ context.Context, s *testbed) (injection, error) {
	hit, on := s.pickProxies()
	gone := s.random.IntN(2) == 0
	if gone {
		on += ", connections gone afterwards"
	}

	for _, w := range hit {
		w.blackHoled.Store(true)
	}

	return injection{
		target: on,
		revert: func(context.Context) error {
			for _, w := range hit {
				if gone {
					w.dropConnections()
				}

				w.blackHoled.Store(false)
			}

			return nil
		},
	}, nil
}

func delayProxies(by time.Duration) func(context.Context, *testbed) (injection, error) {
	return func(_ context.Context, s *testbed) (injection, error) {
		hit, on := s.pickProxies()
		for _, w := range hit {
			w.delay.Store(int64(by))
		}

		return injection{
			target: fmt.Sprintf("%s, each way", on),
			revert: func(context.Context) error {
				for _, w := range hit {
					w.delay.Store(0)
				}

				return nil
			},
		}, nil
	}
}
