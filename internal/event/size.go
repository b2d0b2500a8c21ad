package event

// maxGrowth is how many times as long as it was sent an event can be when it is given back:
// 1e39 with a comma has 5 characters, its 40 digits with a comma and a space have 42.
const maxGrowth = 10

// countedSize is how many bytes of an event count. Up to the limit that is its length. Beyond it
// an event counts in its shortest form, and one that was given back without what the service
// made of it, so that whatever was accepted is accepted again as it is given back; up to a
// multiple of the limit, so that measuring costs no more than reading.
func (s *scanner) countedSize(text []byte) int {
	if len(text) <= s.rules.EventBytes || len(text) > maxGrowth*s.rules.EventBytes {
		return len(text)
	}

	return shortestSize(text, len(s.current.ReadOnly) > 0)
}

// shortestSize counts the bytes of a valid JSON text without the space between its tokens
// and with its numbers in their shortest form. No string is longer when it is given back
// than it was when it was sent. Of an event that was given back, the members that the
// service made do not count.
func shortestSize(text []byte, givenBack bool) int {
	size, depth := 0, 0
	skipping := false // a member of the event
	for i := 0; i < len(text); {
		end, counts := i+1, 1
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

// isServiceMember tells whether a member of an event is one that the service adds, or makes
// where it was left out, or writes in its own form. A category or a name that reads so is
// not told apart, and does not count either.
func isServiceMember(name []byte) bool {
	switch string(name) {
	case "event_id", "timestamp", memberSequence, memberReceivedAt, memberApplication, memberTypeVersion, memberViolations:
		return true
	}

	return false
}
