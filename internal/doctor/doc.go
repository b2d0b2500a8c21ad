// Package doctor assesses a running deployment: from facts about the database and about the
// service as seen from outside, it makes a list of findings, with a fix for each problem.
//
// Facts are plain values. postgres collects those of the database and probe those of the
// service; app passes both to this package. The assessment has no state, makes no request
// and changes nothing, so that each rule can be tested by a table.
package doctor
