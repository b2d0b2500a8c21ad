// Command e2e sends events with the Go client, as an application does, until it is killed. The
// tests beside it kill it, and compare what it took with what the service has stored. It is a
// module of its own, which is never released, so that the client needs nothing but the standard
// library.
package main
