// Package chaos owns the proof of the service's promise: it starts a private Postgres
// and two services, breaks something in every cycle, and holds all that was
// acknowledged against the tables. cmd/eyeload calls it; the service never does.
//
// It promises that a run finds what it looks for: an acknowledged event that is lost,
// stored twice or stored otherwise, a refused one that is stored, a gap in a session.
// A store that cannot be read is a failure of its own, and never taken for consistent.
//
// What is sent follows from the seed, and so do the order of the faults and whom they
// hit. When exactly a fault falls into a transaction does not, and need not.
package chaos
