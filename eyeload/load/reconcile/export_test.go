package reconcile

import "github.com/the-eye-events/the-eye/internal/event"

// SameEvent tells whether two events say the same.
func SameEvent(sent, stored *event.Event) bool { return sameEvent(sent, stored) }
