// Package report holds the results of a load test: the figures, the thresholds, and the three
// forms of the report: text for a terminal, JSON for programs, and one self-contained HTML
// page.
//
// The load tester fills a Report, CheckThresholds checks it, and the Write functions render it.
// Times in a Report are in milliseconds, rates in requests a second.
package report
