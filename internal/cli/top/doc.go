// Package top is the live view of `theeye top`: it reads /metrics of the ops port of
// one or more replicas, computes rates and quantiles between two readings, adds up the
// replicas, and shows the result in a terminal, or once as plain text.
//
// cmd/theeye calls it. It knows the service only from outside, by the names of its
// metrics, and imports no other package of this project, so that it can show an older or a
// newer service: a missing number is shown as unknown.
//
// The path of a number: fetch (bytes) → sample (one replica now) → window (the increase
// between two samples, of one replica and then of all) → tracker (the last minute, totals
// since the view began) → numbers → lines. All steps but the first and the last are pure;
// the clock and the HTTP client are injected.
//
// It promises that a replica that is unreachable, restarts or answers nonsense is
// shown and never ends the view; that the memory and time of an answer are bounded; and
// that no control character from the service reaches the terminal.
package top
