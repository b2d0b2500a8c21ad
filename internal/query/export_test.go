package query

// EncodeCursor renders a position in the list of a filter.
func EncodeCursor(filter string, p Position) string { return encodeCursor(filter, p) }

// DecodeCursor reads a cursor.
func DecodeCursor(filter, text string) (*Position, error) { return decodeCursor(filter, text) }

// EncodeChange renders a position among the changes of a filter.
func EncodeChange(filter string, system int64, p ChangePosition) string {
	return encodeChange(filter, system, p)
}

// DecodeChange reads a cursor of changes.
func DecodeChange(filter string, system int64, text string) (ChangePosition, error) {
	return decodeChange(filter, system, text)
}
