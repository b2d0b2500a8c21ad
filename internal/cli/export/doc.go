// Package export is `theeye export`: it reads the changes of a service over HTTP, writes
// the events as lines of JSON, and keeps the cursor to go on from.
//
// cmd/theeye calls it. It is a client like any other and imports nothing of ours. It
// promises that only whole pages are written, and that a cursor is kept only once what
// came before it was written: an event may be written again after a crash, and none is
// ever left out.
package export
