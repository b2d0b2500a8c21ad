// Package apptest starts whole services for tests, on real ports and a real
// Postgres, and speaks HTTP to them. Only tests may import it.
package apptest
