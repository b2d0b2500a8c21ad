// Package rejection owns the second life of refused events: they are sent through the
// gate again after what refused them was mended, or discarded.
//
// A rejection is stored at most once, however often and from however many places it is
// replayed: each is taken by one run at a time, and an event that brought no id of its
// own gets the rejection's, so that the ledger knows it even where a run was cut off
// between the commit of the event and the note of it. A replayed event passes the same
// gate as any other, by the rules of now, and keeps its id and its time of receipt.
//
// Package httpapi and theeye's commands call it; package postgres keeps what it works on.
package rejection
