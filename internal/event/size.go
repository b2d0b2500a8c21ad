package event

// maxGrowth is how many times larger than it was sent an event can be when it is returned: 1e39
// with a comma has 5 characters, its 40 digits with a comma and a space have 42.
const maxGrowth = 10

// countedSize returns the number of bytes of an event that count. Up to the limit that is its
// length. Beyond it an event counts in its shortest form, and an event that was sent back
// without the members that the service added, so that every accepted event is accepted again in
// the form in which it is returned; up to a multiple of the limit, so that measuring costs no
// more than reading.
func (s *scanner) countedSize(text []byte) int {
	if len(text) <= s.rules.EventBytes || len(text) > maxGrowth*s.rules.EventBytes {
		return len(text)
	}

	return shortestSize(text, len(s.current.ReadOnly) > 0)
}

// shortestSize counts the bytes of a valid JSON text without whitespace between its tokens and
// with its numbers in their shortest form. No string is longer when it is returned than when it
// was sent. In an event that was sent back, the members of the service do not count.
func shortestSize(text []byte, givenBack bool) int {
	size := 0
	depth := 0
	skipping := false // a member of the event
	for i := 0; i < len(text); {
		end := i + 1
		counts := 1
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			counts = 0
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',' && depth == 1:
			skipping = false
		case c == '"':
			end = stringEnd(text, i)
			counts = end - i
			skipping = skipping || (givenBack && depth == 1 && isServiceMember(text[i+1:end-1]))
		case c == '-' || isDigit(c):
			end = numberEnd(text, i)
			counts = len(shortNumber(text[i:end]))
		}

		if !skipping {
			size += counts
		}

		i = end
	}

	return size
}

// isServiceMember reports whether a member of an event is one that the service adds, or
// generates if it was left out, or writes in its own format. A category or a name with the same
// text is not distinguished, and does not count either.
func isServiceMember(name []byte) bool {
	switch string(name) {
	case "event_id", "timestamp", memberSequence, memberReceivedAt, memberApplication, memberTypeVersion, memberViolations:
		return true
	}

	return false
}
