// Package app builds the service from its settings, starts it, reports when it is
// ready, and shuts it down cleanly. It is the one place that knows all its parts, and
// that injects clocks and randomness.
package app
