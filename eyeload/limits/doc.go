// Package limits measures how near the service comes to what its parts can do on
// this machine: the same HTTP server that stores nothing, and a bare COPY into the
// same tables. Service, Postgres and load generator are processes of their own that
// share the machine; everything that is compared is measured in one run, round by
// round, so that a machine whose speed drifts changes the ratios less than the figures.
//
// It is a measuring tool: cmd/eyeload calls it, the service never does.
package limits
