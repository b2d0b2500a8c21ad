package event

// ShortNumber returns the shortest notation of a number.
func ShortNumber(text string) string { return string(shortNumber([]byte(text))) }
