package query_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/query"
)

// refused is a store of rejections that have the same text.
type refused struct {
	query.RejectionStore

	raw []byte
}

func (r refused) Rejections(_ context.Context, _ query.RejectionFilter, _ *query.Position, limit int, yield func(query.Rejection) bool) error {
	for range limit {
		if !yield(query.Rejection{Raw: r.raw}) {
			break
		}
	}

	return nil
}

// A page of errors is bounded by its size as an answer: bytes that are not text, or are
// escaped, need several times their size.
func TestPagesOfBytesEndEarly(t *testing.T) {
	t.Parallel()
	for fill, atMost := range map[string]int{"a": 64, "\xff": 9, "\x01": 11, "<": 11, "é": 11} {
		f := &query.Finder{RejectionStore: refused{raw: bytes.Repeat([]byte(fill), 64<<10)}}
		page, err := f.RejectionPage(t.Context(), query.RejectionFilter{}, "", 1000)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Items), atMost, "%q", fill)
		require.GreaterOrEqual(t, len(page.Items), atMost/2, "%q", fill)
		require.NotEmpty(t, page.Next)
	}
}
