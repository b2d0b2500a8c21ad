package event_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

const tag = `"0f5c"`

func TestPreconditionsCompareTagsThatProxiesChanged(t *testing.T) {
	t.Parallel()
	for sent, same := range map[string]bool{
		tag: true, `W/"0f5c"`: true, `"0f5c-gzip"`: true, `"0f5c;gzip"`: true, `"0f5c--gzip"`: true, `W/"0f5c-br"`: true, `"0f5c:zstd"`: true,
		`*`: true, ` * `: true, `"a", W/"0f5c"`: true, `"a" ,"b",,"0f5c"`: true, `"a,b","0f5c"`: true,
		`"0f5"`: false, `"0f5c0"`: false, `"0f5c-"`: false, `"0f5c-lzma"`: false, `"0f5cgzip"`: false, `"a","b"`: false, `"x0f5c"`: false,
	} {
		p, err := event.ParsePrecondition([]string{sent}, nil)
		require.NoError(t, err, sent)
		require.Equal(t, same, p.Allows(tag) == nil, sent)
		require.Equal(t, same, p.AllowsReading(tag) == nil, sent)
		require.Error(t, p.Allows(""), "a missing resource has no tag")

		p, err = event.ParsePrecondition(nil, []string{sent})
		require.NoError(t, err, sent)
		require.Equal(t, same, p.Has(tag), sent)
		require.Equal(t, same, p.Allows(tag) != nil, sent)
		require.NoError(t, p.AllowsReading(tag), sent)
		require.NoError(t, p.Allows(""), sent)
	}

	p, err := event.ParsePrecondition([]string{`"a"`, tag}, nil)
	require.NoError(t, err)
	require.NoError(t, p.Allows(tag), "a list over two lines")
}

func TestMalformedPreconditionsAreRefused(t *testing.T) {
	t.Parallel()
	for _, sent := range []string{
		"", " ", ",", `""`, "0f5c", `"0f5c`, `0f5c"`, `w/"0f5c"`, `W/0f5c`, `"0f5c" "a"`, `"0f5c",a`, `*,"0f5c"`, `"0f5c",*`, "\"0f\x7f5c\"", `"0 f5c"`, "**",
	} {
		for _, headers := range [][2][]string{{{sent}, nil}, {nil, {sent}}} {
			_, err := event.ParsePrecondition(headers[0], headers[1])
			f, ok := fault.As(err)
			require.True(t, ok, "%q", sent)
			require.Equal(t, fault.CodeInvalidHeader, f.Code)
		}
	}
}

func TestNoPreconditionAllowsAll(t *testing.T) {
	t.Parallel()
	var none *event.Precondition
	require.NoError(t, none.Allows(tag))
	require.NoError(t, none.AllowsReading(""))
	require.False(t, none.Has(tag))
	require.False(t, none.NamesTags())
}
