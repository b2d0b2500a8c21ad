// Package load owns the load test: it sends traffic at a rate that does not wait
// for the service (open loop), measures, finds out what became of events that
// nobody answered for, and has the store reconciled with what was told.
//
// Run does it all and returns a report; cmd/eyeload calls it. vegeta paces and
// sends; a request is built when it is sent, from its number, so that the run keeps
// nothing of an event but an entry in the ledger. Run reads no environment and no
// clock but the one it is given, and leaves nothing running.
package load
