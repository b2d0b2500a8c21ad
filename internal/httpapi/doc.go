// Package httpapi owns the HTTP contract: routes, authentication, bodies and their limits,
// verdicts, problems, pages and streams. It decides nothing about events: it passes them to the
// use cases and renders their results.
//
// Faults become HTTP in one table (problem.go), and nowhere else.
package httpapi
