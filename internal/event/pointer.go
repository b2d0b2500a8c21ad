package event

import "strings"

// The bounds of a pointer, in bytes. A request may be told of twenty violations in each of
// a thousand events: with long names in all of them, a few kilobytes that were compressed
// well would have an answer of tens of megabytes.
const (
	maxPointer   = 1024
	briefPointer = 64
	// toldAtLength is how many bytes of pointers a request is told before they are brief.
	toldAtLength = 1 << 20
)

// LongestPointer is how long a pointer may be when so many bytes of pointers were told to
// the request already.
func LongestPointer(told int) int {
	if told > toldAtLength {
		return briefPointer
	}

	return maxPointer
}

// CutPointer returns a JSON Pointer (RFC 6901), or, if it is longer, what of it leads to
// the part above.
func CutPointer(pointer string, longest int) string {
	if len(pointer) <= longest {
		return pointer
	}

	return pointer[:max(strings.LastIndexByte(pointer[:longest+1], '/'), 0)]
}
