// Package audit owns the record of what administrators change: who, when, what, to
// what. An entry is written in the transaction of its change, so that there is neither
// one without the other. Who acts travels in the context.
package audit
