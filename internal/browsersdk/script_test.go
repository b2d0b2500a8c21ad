package browsersdk_test

import (
	"crypto/sha512"
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/browsersdk"
)

func TestScriptIsOneExpressionOfText(t *testing.T) {
	t.Parallel()
	script := string(browsersdk.Script())
	require.True(t, utf8.ValidString(script))
	require.True(t, strings.HasPrefix(script, "(()=>{"), "its variables would be the page's")
	require.Contains(t, script, "/v1/collect?key=")
	require.NotContains(t, script, "</script", "it can be put into a page")
}

func TestScriptIsACopy(t *testing.T) {
	t.Parallel()
	before := browsersdk.Script()
	browsersdk.Script()[0] = 'x'
	require.Equal(t, before, browsersdk.Script())
}

// A browser does not run a script that differs from its integrity.
func TestIntegrityIsThatOfTheScript(t *testing.T) {
	t.Parallel()
	digest, found := strings.CutPrefix(browsersdk.Integrity(), "sha384-")
	require.True(t, found)

	sum, err := base64.StdEncoding.DecodeString(digest)
	require.NoError(t, err)

	wanted := sha512.Sum384(browsersdk.Script())
	require.Equal(t, wanted[:], sum)
}
