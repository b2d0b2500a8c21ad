//go:build !linux

package limits

import "time"

// sleepUntil waits with the runtime's timer.
func sleepUntil(at time.Time, now func() time.Time) {
	if left := at.Sub(now()); left > 0 {
		<-time.After(left)
	}
}
