package reconcile

import "github.com/the-eye-events/the-eye/internal/event"

// Same tells whether two events say the same.
func Same(sent, stored *event.Event) bool { return same(sent, stored) }
