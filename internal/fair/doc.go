// Package fair divides a scarce resource among callers: database connections among the
// keys that send queries, processors among the applications that send events. A caller
// that asks for more than its share waits, and does not delay other callers. The
// package does not know the resource and imports nothing of this project.
package fair
