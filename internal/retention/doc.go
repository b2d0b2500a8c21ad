// Package retention owns the partitions: its worker creates the partitions that will be
// needed soon, and drops data past its retention. It works in the background and never
// delays a request. The statements that drop it are in internal/postgres: retention.go and
// expired.go.
package retention
