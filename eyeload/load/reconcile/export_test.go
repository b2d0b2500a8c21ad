package reconcile

import "github.com/the-eye-events/the-eye/internal/event"

// SameEvent reports whether two events are equal.
func SameEvent(sent, stored *event.Event) bool { return sameEvent(sent, stored) }
