// Package oracle owns the statements that check whether the tables are consistent: each
// session's row matches its events, sequences have no gaps, and the ledger has every
// event. Tests and the load tester use it; the service never does. It only reads.
//
// Every answer is a list of sentences, one for each contradiction, at most MaxListed of
// a kind; an empty list means that none was found. An error means that the tables could
// not be read, which says nothing about their consistency.
package oracle
