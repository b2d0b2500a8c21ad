package eventtype

import "encoding/json"

// HashedForms returns what a value of a payload is kept as where a schema marks it to be
// hashed with the key: as a string, and, if that is what its text reads as, as a number or
// a boolean.
func HashedForms(text string, key []byte) []string {
	forms := []string{}
	add := func(value any) {
		if form, ok := hashValue(value, key).(string); ok {
			forms = append(forms, form)
		}
	}
	add(text)
	var literal any
	if json.Unmarshal([]byte(text), &literal) != nil {
		return forms
	}

	switch literal.(type) {
	case float64:
		add(json.Number(text))
	case bool:
		add(literal)
	}

	return forms
}
