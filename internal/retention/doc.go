// Package retention owns which partitions exist: it has those made that will be
// needed soon, and has what is older than the retention time dropped. None of it
// is on a request's way.
package retention
