package amend

// ShortNumber writes a stored number as it may be sent.
func ShortNumber(plain string) string { return shortNumber(plain) }
