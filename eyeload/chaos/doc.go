// Package chaos proves the promise of the service: it starts a private Postgres and two
// services, injects a fault in every cycle, and compares every acknowledged event with the
// tables. Only cmd/eyeload calls it; the service never does.
//
// A run finds acknowledged events that are lost, stored twice or stored with other content,
// rejected events that are stored, and gaps in a session. A store that cannot be read is a
// failure in its own right, and never counts as consistent.
//
// The seed decides the events, the order of the faults and their targets. It does not decide
// when exactly a fault falls into a transaction, and need not.
package chaos
