package event

import "strings"

// The bounds of a pointer, in bytes. A response may report twenty violations in each of a
// thousand events: with long names in all of them, a well compressed request of a few kilobytes
// would have a response of tens of megabytes.
const (
	maxPointer   = 1024
	briefPointer = 64
	// briefAfter is the number of bytes of pointers that a response holds before further
	// pointers are brief.
	briefAfter = 1 << 20
)

// LongestPointer returns the longest length of the next pointer in a response that holds so many
// bytes of pointers.
func LongestPointer(written int) int {
	if written > briefAfter {
		return briefPointer
	}

	return maxPointer
}

// CutPointer returns a JSON Pointer (RFC 6901), or, if it is longer, the part that leads to an
// enclosing value.
func CutPointer(pointer string, longest int) string {
	if len(pointer) <= longest {
		return pointer
	}

	return pointer[:max(strings.LastIndexByte(pointer[:longest+1], '/'), 0)]
}
