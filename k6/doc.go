// Package k6 is the room of the load scripts for k6; it holds no code of the
// program. Its tests run every script against a real service.
//
// k6 itself is under the AGPL and is no part of The Eye: it is neither linked nor
// fetched, and no test needs it. The scripts are run by a stand-in for k6, which is
// in standin_test.go with the pages of k6's documentation that it follows.
package k6
