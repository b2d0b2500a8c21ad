package amend

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/the-eye-events/the-eye/internal/event"
)

// applyPatch renders an event as a client could send it back, with a merge patch
// applied to it. The patch has passed the strict decoder.
func applyPatch(current *event.Stored, patch []byte) ([]byte, error) {
	data, err := decodeDocument(current.Data)
	if err != nil {
		return nil, err
	}

	changes, err := decodeDocument(patch)
	if err != nil {
		return nil, err
	}

	merged := mergePatch(map[string]any{
		"session_id": current.SessionID.String(), "category": current.Category, "name": current.Name,
		"data": data, "timestamp": event.FormatTimestamp(current.Timestamp),
		"sequence": current.Sequence, // marks it as an event that was read and sent back, which may be larger
	}, changes)
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // escaping would make events larger than they were sent
	if err := encoder.Encode(merged); err != nil {
		return nil, fmt.Errorf("render a patched event: %w", err)
	}

	return b.Bytes(), nil
}

func decodeDocument(text []byte) (document any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("read a document: %w", err)
	}

	return document, nil
}

// mergePatch applies a JSON Merge Patch (RFC 7396, section 2). The target is not used
// again by the caller.
func mergePatch(target, patch any) any {
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
			merged[name] = mergePatch(merged[name], change)
		}
	}

	return merged
}
