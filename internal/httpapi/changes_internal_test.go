package httpapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/query"
)

// The line after a page of changes reports when events are returned again.
func TestTheMarkOfAPageOfChanges(t *testing.T) {
	t.Parallel()
	require.JSONEq(t, `{"next": "A", "more": true, "complete_until": null}`, string(renderChangeCursor(&query.ChangePage{Next: "A", More: true})))
	require.JSONEq(t, `{"next": "A", "more": false, "complete_until": null, "restarted": {"reason": "a \"failover\""}}`,
		string(renderChangeCursor(&query.ChangePage{Next: "A", Restarted: `a "failover"`})))
}
