// Package reconcile owns the question that a load test is for: is what was
// acknowledged stored, once, as it was sent and in the place that was told, and
// nothing else?
//
// A Ledger holds what was sent and told, in 24 bytes an event; the events
// themselves are made again by traffic. Reconcile reads the store through the API
// and compares, in constant memory but for the ledger. Tables asks the database
// itself about the run's sessions. What could not be read is never taken for
// consistent.
package reconcile
