// Package fault owns the kinds of wrong that The Eye can answer with: what went
// wrong (Kind), a stable machine code (Code), a message that is safe to show, the
// places in the input, and whether and when it is worth trying again.
//
// A fault is made where its meaning is first known and travels upward unchanged.
// Exactly one table, in package httpapi, maps kinds to HTTP. The package imports
// nothing but the standard library.
package fault
