package eventtype

import "encoding/json"

// HashedForms returns the stored forms of a value that a schema marks to be hashed with
// the key: the hash of the text as a string, and, if the text reads as a number or a
// boolean, the hash of that.
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
