// Package load is the load test: it sends traffic at a rate that does not wait for the service
// (open loop), measures, sends unanswered events again, and compares the store with the
// verdicts.
//
// Run does all of that and returns a report; cmd/eyeload calls it. vegeta paces and sends. A
// request is built when it is sent, from its number, so that the run keeps nothing of an event
// but an entry in the journal. Run reads no environment and only the clock that it is given,
// and leaves nothing running.
package load
