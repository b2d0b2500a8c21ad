// Package roundtrip proves a running service from outside, as a client: it posts one
// event, reads it back, and erases it. `theeye check` and `helm test` do it. It needs a
// key that may do everything and leaves nothing but the erasure of a session.
package roundtrip
