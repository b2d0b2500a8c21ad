// Mutants tests the tests of the promise. It plants one defect at a time into a copy of
// the source, and runs a test of the package that the defect lives in, and then
// `eyeload chaos`. Both have to find it. A mutant that is not found is exit code 1: so is
// one whose text is no longer found in the source.
//
// The mutants are the files in planted. Each begins with what is broken, names the file,
// the test and the cycles and faults of the chaos run, and says which text is planted
// instead of which. Nothing in the tree is changed: the Go tool is given an overlay.
//
//	go run ./scripts/mutants            # all of them, and a control without any
//	go run ./scripts/mutants M04 M07    # these alone
package main
