package httpapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/fault"
)

func TestAcceptIsReadWithItsQualities(t *testing.T) {
	t.Parallel()
	all := []format{formatJSON, formatNDJSON, formatCSV}
	const none = format(-1)
	for accept, want := range map[string]format{
		"": formatJSON, "*/*": formatJSON, "application/json": formatJSON, "application/*": formatJSON, "text/*": formatCSV,
		"application/json;q=0.5, text/csv": formatCSV, "text/csv;q=0.5, application/json;q=0.501": formatJSON,
		"text/csv, */*;q=0.1": formatCSV, "text/csv;q=0.9, */*": formatJSON, "*/*;q=0.1, application/x-ndjson;q=0.2": formatNDJSON,
		"*/*, application/json;q=0": formatNDJSON, "application/json;q=0, application/*;q=0.3, text/*;q=0.2": formatNDJSON,
		"application/json;q=0.0, */*;q=0.000": none, "text/csv;q=0": none, "text/csv;q=0, */*": formatJSON,
		"application/jsonl": formatNDJSON, "application/ndjson": formatNDJSON, "application/x-ndjson, application/json": formatNDJSON,
		"Text/CSV ; Q=1": formatCSV, "text/csv; charset=utf-8": formatCSV, "text/csv;charset=iso-8859-1": none, "text/csv;header=absent": none,
		"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2":            formatJSON, // Java's URLConnection
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": formatJSON, // browsers
		"application/json, text/plain, */*":                               formatJSON, // axios
		"text/csv;q=2, application/json;q=0.1":                            formatJSON, "text/csv;q=-1": none, "text/csv;q=x": none, "text/csv;q=NaN": none, "text/csv;q=1e0": none,
		"text/html": none, "nonsense": none, ",": none, "application/xml;q=0.9, image/*": none, "*/json": none,
	} {
		got, err := chooseFormat([]string{accept}, all)
		if want == none {
			f, ok := fault.As(err)
			require.True(t, ok, accept)
			require.Equal(t, fault.CodeNotAcceptable, f.Code)
			require.Equal(t, "accept application/json, application/x-ndjson or text/csv", f.Detail)
			continue
		}

		require.NoError(t, err, accept)
		require.Equal(t, want, got, accept)
	}

	got, err := chooseFormat([]string{"text/html", "text/csv"}, all)
	require.NoError(t, err)
	require.Equal(t, formatCSV, got, "in two header lines")
	_, err = chooseFormat([]string{"text/csv"}, []format{formatJSON})
	f, ok := fault.As(err)
	require.True(t, ok)
	require.Equal(t, "accept application/json", f.Detail)
}
