// Package oracle owns the statements that say whether the tables tell one story:
// sessions are what their events make of them, sequences have no gap, and the
// ledger knows every event. Tests and the load tester ask it; the service never
// does. Nothing in it writes.
//
// Every answer is a list of sentences, one for each contradiction, at most Enough
// of a kind; an empty list means that none was found. An error means that the
// tables could not be read, which tells nothing about them.
package oracle
