package limits

import (
	"syscall"
	"time"
)

// sleepUntil sleeps with the system's own timer, which is exact to some tens of microseconds.
// The runtime's timer may be a millisecond late on an idle machine, and that would count as
// latency of the service.
func sleepUntil(at time.Time, now func() time.Time) {
	for {
		left := at.Sub(now())
		if left <= 0 {
			return
		}

		wait := syscall.NsecToTimespec(left.Nanoseconds())
		_ = syscall.Nanosleep(&wait, nil) // if interrupted, the loop sleeps again
	}
}
