// Package reconcile answers the question of a load test: is every acknowledged event stored
// once, as it was sent and with the acknowledged sequence, and nothing else?
//
// A Journal records the sent events and their verdicts, in 24 bytes an event; traffic makes the
// events themselves again. CompareAPI reads the store through the API and compares, in constant
// memory apart from the journal. CompareTables reads the database. A store that cannot be read
// is never reported as consistent.
package reconcile
