package amend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/the-eye-events/the-eye/internal/event"
)

// patched renders the fields of an event that a client can send, with a merge
// patch applied to them. The patch passed the strict decoder.
func patched(current *event.Event, patch []byte) ([]byte, error) {
	data, err := decode(current.Data)
	if err != nil {
		return nil, err
	}
	changes, err := decode(patch)
	if err != nil {
		return nil, err
	}
	merged := merge(map[string]any{
		"session_id": current.SessionID.String(), "category": current.Category, "name": current.Name,
		"data": shortened(data), "timestamp": event.FormatTimestamp(current.Timestamp),
	}, changes)
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // it would make events larger than they were sent
	if err := encoder.Encode(merged); err != nil {
		return nil, fmt.Errorf("render a patched event: %w", err)
	}
	return b.Bytes(), nil
}

func decode(text []byte) (document any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("read a document: %w", err)
	}
	return document, nil
}

// merge applies a JSON Merge Patch (RFC 7396, section 2). The target is not used
// again by the caller.
func merge(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	merged, ok := target.(map[string]any)
	if !ok {
		merged = make(map[string]any, len(changes))
	}
	for name, change := range changes {
		if change == nil {
			delete(merged, name)
		} else {
			merged[name] = merge(merged[name], change)
		}
	}
	return merged
}

// shortened writes a stored document's numbers as they could have been sent: the
// store spells 1e300 out, and its 301 digits are more than a number may have.
func shortened(document any) any {
	switch v := document.(type) {
	case map[string]any:
		for name, value := range v {
			v[name] = shortened(value)
		}
	case []any:
		for i, value := range v {
			v[i] = shortened(value)
		}
	case json.Number:
		return json.Number(shortNumber(string(v)))
	}
	return document
}

// shortNumber writes a number without an exponent with one, if that is shorter:
// 1200 as 12e2, and 0.00012 as 12e-5 or 1.2e-4, whichever exponent has fewer digits.
func shortNumber(plain string) string {
	unsigned := strings.TrimPrefix(plain, "-")
	whole, fraction, _ := strings.Cut(unsigned, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	mantissa := strings.TrimRight(digits, "0")
	if mantissa == "" {
		return "0"
	}
	exponent := len(digits) - len(mantissa) - len(fraction)
	short := mantissa + "e" + strconv.Itoa(exponent)
	if point := exponent + len(mantissa) - 1; len(mantissa) > 1 && len(strconv.Itoa(max(point, -point))) < len(strconv.Itoa(max(exponent, -exponent))) {
		short = mantissa[:1] + "." + mantissa[1:] + "e" + strconv.Itoa(point)
	}
	if len(short) >= len(unsigned) {
		return plain
	}
	return plain[:len(plain)-len(unsigned)] + short
}
