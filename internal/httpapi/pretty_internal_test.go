package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzIndentedJSON(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, `{"a":[],"b":{}}`, `{"a":[1,2,{"b":"c"}]}`, `"a\"b\\"`, `[ 1 , [ ] , { "a" : "}" } ]`, `null`, `[[[]]]`, `{"a":"\\","b":"["}`, "\t[\n1\r]",
	} {
		f.Add([]byte(text))
	}

	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			t.Skip("no JSON")
		}

		var compact, want, got bytes.Buffer
		require.NoError(t, json.Compact(&compact, text))
		require.NoError(t, json.Indent(&want, compact.Bytes(), "", "  "))
		require.NoError(t, indentJSON(&got, text))
		require.Equal(t, want.String()+"\n", got.String())
		var length byteCounter
		require.NoError(t, indentJSON(&length, text))
		require.Equal(t, got.Len(), int(length))
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestIndentingForAClientThatIsGone(t *testing.T) {
	t.Parallel()
	require.Error(t, indentJSON(brokenWriter{}, []byte(`{"a":1}`)))
}
