// Package export is `theeye export`: it reads the changes of a service over HTTP, writes
// the events as lines of JSON, and saves the cursor for the next run.
//
// cmd/theeye calls it. It is an ordinary client and imports no other package of this
// project. It writes only complete pages, and saves a cursor only after all events before
// it are written: after a crash an event may be written again, but none is ever missed.
package export
