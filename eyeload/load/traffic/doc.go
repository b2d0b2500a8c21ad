// Package traffic owns what the load tester sends: an endless row of events, of
// which each follows from the run and its index alone, but for its timestamp. So
// nobody has to keep what was sent: who knows an event's index and when it was
// sent can make it again, and an event's id tells its index.
//
// The load tester sends from it and reconciles with it. A Source is safe for
// concurrent use, reads no clock, and makes only events that the service's default
// rules accept.
package traffic
