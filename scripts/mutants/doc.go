// Mutants tests the tests of the promise. It plants one bug at a time into a copy of the
// source, and runs a test of the package, and then `eyeload chaos`. Both have to find the bug.
// A mutant that is not found makes the exit code 1, and so does a mutant that does not fit the
// source.
//
// The mutants are the files in planted. Each describes the bug, names the file, the test and
// the cycles and faults of the chaos run, and contains the original and the planted text. The
// tree is not changed: the Go tool gets an overlay.
//
//	go run ./scripts/mutants            # all of them, and a control without any
//	go run ./scripts/mutants M04 M07    # these only
package main
