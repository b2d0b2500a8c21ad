// Package telemetry builds the service's log, traces and metrics. It is built once at
// the start and passed to the packages that need it; nothing here is global.
//
// The log guarantees that one entry is one line, whatever the fields hold, so that no
// client can forge an entry or control the terminal of the reader. Traces and metrics
// guarantee that a slow or dead collector slows down no request. Data that cannot be
// sent is dropped and counted.
package telemetry
