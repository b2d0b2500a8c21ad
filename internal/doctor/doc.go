// Package doctor judges a running deployment: from what was found in the database and
// seen of the service from outside, it makes a list of findings and says what to do
// about each that is not as it should be.
//
// Facts are plain values. postgres fills those of the database and probe those of the
// service; app hands both over. The judgement has no state, asks nobody and changes
// nothing, so that each rule can be tested by a table.
package doctor
