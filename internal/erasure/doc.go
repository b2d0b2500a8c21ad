// Package erasure owns erasures: of whole sessions, and of all events and errors whose
// payload holds certain values. An erasure is a job that is kept in the store. Once it
// was begun it is finished, by whichever replica finds it unfinished, after crashes and
// without the client that asked for it. The package says what an erasure is, which raw
// texts of refused events it covers, and who works on it; the store takes the steps.
package erasure
