// Package amend owns the operations of administrators on stored events: replace, patch
// and erase one. A changed event is validated by the same rules as a new one.
package amend
