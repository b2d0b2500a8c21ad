// Package limits measures how near the service comes to the limits of its parts on this
// machine: the same HTTP server without a store, and a bare COPY into the same tables. Service,
// Postgres and load generator are processes of their own that share the machine. Figures that
// are compared are measured in one run, round by round, so that a change in the speed of the
// machine affects the ratios less than the figures.
//
// It is a measuring tool: cmd/eyeload calls it, the service never does.
package limits
