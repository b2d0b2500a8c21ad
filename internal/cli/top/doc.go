// Package top is the live view of `theeye top`: it reads /metrics of the ops port of
// one or more replicas, works out rates and quantiles between two readings, adds the
// replicas up, and shows them in a terminal, or once as plain text.
//
// cmd/theeye calls it. It knows the service from outside only, by the names of its
// metrics, and imports nothing of ours, so that it shows an older or a newer service as
// far as it can: what is absent is shown as unknown.
//
// The way of a number: fetch (bytes) → sample (one replica now) → window (what a
// replica, then all of them, counted between two samples) → tracker (the last minute,
// totals since the view began) → Numbers → lines. All but the first and the last are
// pure; the clock and the HTTP client are handed in.
//
// It promises that a replica that cannot be reached, restarts or answers nonsense is
// shown and never ends the view; that an answer takes bounded memory and time; and that
// no control character that came from the service reaches the terminal.
package top
