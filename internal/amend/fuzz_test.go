package amend_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/amend"
	"github.com/the-eye-events/the-eye/internal/event"
)

// FuzzMergePatch checks RFC 7396 for every patch that passes the strict decoder:
// applying it twice has the same effect as once, an empty one does nothing, and a null
// removes its member.
func FuzzMergePatch(f *testing.F) {
	f.Add(`{"a":"b","c":{"d":"e","f":"g"}}`, `{"a":"z","c":{"f":null}}`)
	f.Add(`{"a":[{"b":"c"}],"n":12345678901234567890}`, `{"a":[1],"n":{"x":null}}`)
	f.Add(`{"e":null}`, `{"a":{"bb":{"ccc":null}}}`)
	f.Add(`{}`, `{"":{"":[null]}}`)
	f.Fuzz(func(t *testing.T, document, patch string) {
		rules := event.DefaultRules()
		if event.CheckObject([]byte(document), &rules) != nil || event.CheckObject([]byte(patch), &rules) != nil {
			return
		}

		merged, err := amend.Merge([]byte(document), []byte(patch))
		require.NoError(t, err)
		again, err := amend.Merge(merged, []byte(patch))
		require.NoError(t, err)
		require.Equal(t, string(merged), string(again))
		same, err := amend.Merge(merged, []byte("{}"))
		require.NoError(t, err)
		require.Equal(t, string(merged), string(same))
		var members, changes map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(merged, &members))
		require.NoError(t, json.Unmarshal([]byte(patch), &changes))
		for name, change := range changes {
			if string(change) == "null" {
				require.NotContains(t, members, name)
			} else {
				require.Contains(t, members, name)
			}
		}
	})
}
