// Package ingest owns the promise made to a sender: the verdict on each event,
// given after the transaction that stores it has committed, or a fault that says
// "send it again" within the request's budget.
//
// The Collector gathers what arrives while the previous transaction runs into one
// group and hands it to a Store. There is no timer: an idle service answers after
// one commit. Requests share a transaction, never an error: a group that cannot
// be stored is split until the bad event stands alone.
//
// Read it in this order: contract.go, submit.go, admission.go, lane.go, group.go; then, for
// what goes wrong, group_split.go, locked_lane.go and deadline.go. read_only_fields.go is for events
// that are sent as they were read.
package ingest
