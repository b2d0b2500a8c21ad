// Package limits measures where the limits are: how much a Postgres takes in, and
// how quickly it answers once it is full. It is a tool beside the service, called by
// cmd/eyeload alone; no package of the service may import it.
package limits
