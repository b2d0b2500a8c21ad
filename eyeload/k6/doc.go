// Package k6 is the folder of the load scripts for k6; it has no code of a program. Its tests
// parse the scripts and check their options and summaries.
//
// k6 itself is under the AGPL and is not a part of The Eye: it is neither linked nor
// downloaded, and no test needs it. The hosted workflow load runs the scripts with it.
package k6
