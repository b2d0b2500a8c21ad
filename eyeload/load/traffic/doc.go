// Package traffic makes the events of the load tester: an endless series in which each event
// follows from the run and its index alone, except for its timestamp. So sent events need not
// be kept: an event can be made again from its index and the time of sending, and its id
// contains the index.
//
// The load tester sends and reconciles with it. A Source is safe for concurrent use, reads no
// clock, and makes only events that the service's default rules accept.
package traffic
