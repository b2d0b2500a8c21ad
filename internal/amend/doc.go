// Package amend owns what administrators may do to stored events: replace, patch
// and erase one. A changed event is judged by the same
// rules as a new one.
package amend
