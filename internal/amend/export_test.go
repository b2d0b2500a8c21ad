package amend

import "encoding/json"

// Merge applies a merge patch to a document.
func Merge(document, patch []byte) ([]byte, error) {
	target, err := decodeDocument(document)
	if err != nil {
		return nil, err
	}

	changes, err := decodeDocument(patch)
	if err != nil {
		return nil, err
	}

	return json.Marshal(mergePatch(target, changes))
}
