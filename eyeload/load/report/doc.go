// Package report owns what a load test says: its numbers, the thresholds they are
// held against, and the three forms in which they are given: text for a terminal,
// JSON for machines, and one self-contained HTML page for people.
//
// The load tester fills a Report, Judge decides, and the Write functions render.
// Times in a Report are in milliseconds, rates in requests a second.
package report
