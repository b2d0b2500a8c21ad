// Package fault owns the errors that The Eye can answer with: a class (Kind), a stable
// machine code (Code), a message that is safe to show, the places in the input, and
// whether and when a retry is worthwhile.
//
// A fault is made where its meaning is first known and is returned upward unchanged.
// Exactly one table, in package httpapi, maps kinds to HTTP. The package imports
// nothing but the standard library.
package fault
