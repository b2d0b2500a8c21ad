// Package event owns the words of The Eye and the rules for a single event: the
// envelope (as sent, unjudged), the event (judged), the session, and the one
// strict decoder that turns the first into the second.
//
// The decoder's promise: what it accepts, Postgres can store and gives back equal.
// It therefore refuses more than JSON does: duplicate members, NUL characters,
// lone surrogates, invalid UTF-8, numbers that no float64 can hold, and members
// that would be dropped. The package is pure: it reads no clock and does no I/O,
// and everything in it is safe for concurrent use unless it says otherwise.
package event
