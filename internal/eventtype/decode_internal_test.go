package eventtype

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// FuzzDecode checks that jsonReader reads the same as the decoder of the library, or
// leaves the text to it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"a": [1, -0.5e+3, true, false, null, "x\u00e9\n", "é", {}, []], "a": {"": ""}} `, `{"a": 01}`, `{"a": "\ud83d"}`, "{\"a\": \"\xff\"}", `{"a"}`, `{} {}`, "{}\x00", `[1]`, `{"a": nul}`, `{"a": 1,}`, `{"a": --}`,
	} {
		f.Add([]byte(seed))
	}

	f.Fuzz(func(t *testing.T, text []byte) {
		r := jsonReader{text: text}
		value, ok := r.readValue(0)
		if !ok || r.skipSpace() != 0 {
			return
		}

		expected, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		require.NoError(t, err, "%q", text)
		require.Equal(t, expected, value, "%q", text)
	})
}
