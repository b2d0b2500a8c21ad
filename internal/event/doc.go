// Package event owns the data types of The Eye and the rules for a single event: the envelope
// (as sent, not validated), the event (validated), the session, and the one strict decoder that
// turns the first into the second.
//
// The decoder's promise: Postgres can store every event that the decoder accepts, and returns it
// unchanged. The decoder therefore rejects more than JSON does: duplicate members, NUL
// characters, lone surrogates, invalid UTF-8, numbers that no float64 can hold, and members that
// would be dropped. The package is pure: it reads no clock and does no I/O, and everything in it
// is safe for concurrent use unless documented otherwise.
package event
