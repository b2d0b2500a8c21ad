// Package rejection owns the dead letters: rejected events are replayed through ingest
// after the cause of their rejection is fixed, or discarded.
//
// A rejection is stored as an event at most once, however often and from however many
// replicas it is replayed: one run at a time claims it, and an event without an id of
// its own gets the id of the rejection, so that the ledger knows it even if a run was
// interrupted between the commit of the event and the record of the outcome. A replayed
// event passes the same ingest as any other event, by the present rules, and keeps its
// id and its time of receipt.
//
// Package httpapi and theeye's commands call it; package postgres stores the rejections.
// Rejections are counted and sampled where they are recorded, in
// internal/postgres/ingest_rejections.go.
package rejection
