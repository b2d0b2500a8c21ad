package event

// ShortNumber returns the shortest text of a number.
func ShortNumber(text string) string { return string(shortNumber([]byte(text))) }
