// Package app builds the service from its settings, starts it, tells when it is
// ready, and stops it in order. It is the one place that knows all its parts, and
// where clocks and randomness enter.
package app
