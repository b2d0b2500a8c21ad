package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/httpapi"
	"github.com/the-eye-events/the-eye/internal/query"
)

// FuzzParameters requires that every query string is either rejected with a short reason, or
// makes a filter that Postgres can answer.
func FuzzParameters(f *testing.F) {
	for _, raw := range []string{
		"", "category=page&name=view&order=asc&limit=1", "from=2021-01-01&to=2020-12-31T23:59:59%2B02:00", "data.a%5C.b=1&data.c=",
		"session_id=0190163d-8694-739b-aea5-966c26f8ad9f", "limit=01&limit=2", "%zz", "a=%00&category=%ff", "from=0001-01-01&to=0001-01-01", "data.=&data.%00=1",
	} {
		f.Add(raw)
	}

	f.Fuzz(func(t *testing.T, raw string) {
		filter, err := httpapi.ReadFilter(raw)
		if err != nil {
			requireFewViolations(t, err)
			return
		}

		texts := []string{filter.Category, filter.Name, filter.Application}
		require.LessOrEqual(t, len(filter.Data), query.MaxDataFilters)
		for _, d := range filter.Data {
			texts = append(append(texts, d.Path...), d.Value)
		}

		for _, text := range texts {
			require.True(t, utf8.ValidString(text) && !strings.ContainsRune(text, 0), "%q", text)
		}

		if !filter.From.IsZero() && !filter.To.IsZero() {
			require.False(t, filter.To.Before(filter.From))
		}
	})
}

func requireFewViolations(t *testing.T, err error) {
	t.Helper()
	found, ok := fault.As(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, fault.Invalid, found.Kind)
	require.NotEmpty(t, found.Violations)
	require.LessOrEqual(t, len(found.Violations), event.MaxViolations)
	for _, v := range found.Violations {
		require.True(t, utf8.ValidString(v.Parameter) && !strings.ContainsRune(v.Parameter, 0), "%q", v.Parameter)
		require.LessOrEqual(t, len(v.Parameter), 256)
		require.LessOrEqual(t, len(v.Detail), 2048)
	}
}

// A thousand mistakes are reported in part, and the same ones each time.
func TestManyWrongParametersAreToldInPart(t *testing.T) {
	t.Parallel()
	var raw strings.Builder
	for n := range 1000 {
		fmt.Fprintf(&raw, "data.a%d.=1&", n)
	}

	_, first := httpapi.ReadFilter(raw.String())
	requireFewViolations(t, first)
	for range 3 {
		_, err := httpapi.ReadFilter(raw.String())
		require.Equal(t, first, err)
	}
}
