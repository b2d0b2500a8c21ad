package limits

import (
	"syscall"
	"time"
)

// sleepUntil sleeps by the system's own timer, which is exact to some tens of
// microseconds; the runtime's may be a millisecond late on an idle machine, and
// that would count as the service's latency.
func sleepUntil(at time.Time, now func() time.Time) {
	for {
		left := at.Sub(now())
		if left <= 0 {
			return
		}

		wait := syscall.NsecToTimespec(left.Nanoseconds())
		_ = syscall.Nanosleep(&wait, nil) // interrupted, it sleeps again
	}
}
