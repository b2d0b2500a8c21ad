package main

import "fmt"

// limit is the maximum, or the minimum, of a figure.
type limit struct {
	key   string
	bound float64
	least bool
}

// houseLimits returns the limits that TestHouse checks.
func houseLimits() []limit {
	return []limit{
		{key: "functions-long", bound: 0},
		{key: "files-long", bound: 0},
		{key: "blank-lines", bound: 9, least: true},
		{key: "names", bound: 35},
		{key: "documented", bound: 100, least: true},
		{key: "tuples", bound: 0.1},
		{key: "packed", bound: 0.5},
		{key: "nolint", bound: 5},
		{key: "all-idioms", bound: 0.5},
		{key: "path-core", bound: 700},
		{key: "path-all", bound: 1735},
	}
}

// String returns the limit in the form of the table.
func (l limit) String() string {
	if l.least {
		return fmt.Sprintf("≥ %g", l.bound)
	}

	return fmt.Sprintf("≤ %g", l.bound)
}

// isKept reports whether a value is within the limit.
func (l limit) isKept(value float64) bool {
	if l.least {
		return value >= l.bound
	}

	return value <= l.bound
}
