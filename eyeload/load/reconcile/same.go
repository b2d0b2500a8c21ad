package reconcile

import (
	"bytes"
	"encoding/json"
	"io"
	"math/big"

	"github.com/the-eye-events/the-eye/internal/event"
)

// sameEvent reports whether two events are equal. It compares them member by member and not by
// their digests: the service recognizes duplicates by digests, so a digest that left out a
// member would hide the loss of that member here.
func sameEvent(sent, stored *event.Event) bool {
	return sent.ID == stored.ID && sent.SessionID == stored.SessionID && sent.Category == stored.Category && sent.Name == stored.Name &&
		sent.Timestamp.Equal(stored.Timestamp) && sameJSON(sent.Data, stored.Data)
}

// sameJSON reports whether two documents have the same meaning: the store keeps neither the
// order of members nor the notation of numbers.
func sameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}

	x, okX := decodeJSON(a)
	y, okY := decodeJSON(b)

	return okX && okY && equalJSON(x, y)
}

func decodeJSON(text []byte) (document any, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&document) != nil {
		return nil, false
	}

	_, err := decoder.Token()

	return document, err == io.EOF
}

func equalJSON(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}

		for name, value := range a {
			if other, found := b[name]; !found || !equalJSON(value, other) {
				return false
			}
		}

		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}

		for i, value := range a {
			if !equalJSON(value, b[i]) {
				return false
			}
		}

		return true
	case json.Number:
		b, ok := b.(json.Number)
		return ok && (a == b || sameNumber(string(a), string(b)))
	}

	return a == b
}

func sameNumber(a, b string) bool {
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	return okX && okY && x.Cmp(y) == 0
}
