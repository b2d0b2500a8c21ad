package query

// EncodeCursor renders a position in the list of a filter.
func EncodeCursor(filter string, p Position) string { return encodeCursor(filter, p) }

// DecodeCursor reads a cursor.
func DecodeCursor(filter, text string) (*Position, error) { return decodeCursor(filter, text) }
