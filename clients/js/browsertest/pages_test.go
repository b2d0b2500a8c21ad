//go:build browser

package browsertest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// view is a page view: its address, and where it came from.
type view struct{ url, referrer string }

// views returns the page views in the database, by their time, without the site's origin and the
// name of the run.
func (s *stage) views(t require.TestingT) []view {
	shorten := func(url any) string {
		text, _ := url.(string)
		path, _, _ := strings.Cut(strings.TrimPrefix(text, s.site.origin("site.localhost")), "?run=")

		return path
	}

	var found []view
	for _, event := range s.stored(t) {
		assert.Equal(t, "page view", event.Category+" "+event.Name)
		found = append(found, view{shorten(event.Data["url"]), shorten(event.Data["referrer"])})
	}

	return found
}

// requireViews requires that these page views are stored, in their order, and no others.
func (s *stage) requireViews(t *testing.T, wanted ...view) {
	t.Helper()
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		assert.Equal(t, wanted, s.views(t))
	}, patience, step)
}

func TestPageViews(t *testing.T) {
	t.Parallel()
	b := openTestbed(t)

	t.Run("each address by the History API is one view, with the one before as its referrer", func(t *testing.T) {
		s := b.openStage(t)
		s.play(t, "moveByHistory", nil, new(struct{}))
		s.requireViews(t,
			view{"/page.html", ""},
			view{"/first", "/page.html"},
			view{"/second?sort=asc", "/first"},
			view{"/first", "/second?sort=asc"},
			view{"/third", "/first"},
		)
	})

	t.Run("a page that is loaded has the page before as its referrer", func(t *testing.T) {
		s := b.openStage(t)
		s.play(t, "followLink", nil, new(struct{}))
		s.requireViews(t, view{"/page.html", ""}, view{"/next.html", "/page.html"})
	})

	t.Run("a page that the browser kept is viewed again, and the SDK lets the browser keep it", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			Notes []struct {
				Page      string
				Persisted bool
				Reasons   any
			}
		}
		s.play(t, "comeBack", nil, &saw)
		require.Equal(t, "kept", saw.Notes[1].Page)
		// Its referrer is still that of its load: document.referrer does not change.
		require.True(t, saw.Notes[1].Persisted, "the browser did not keep the page: %v", saw.Notes[1].Reasons)
		s.requireViews(t, view{"/kept.html", ""}, view{"/back.html", "/kept.html"}, view{"/kept.html", ""})
	})

	t.Run("a page that is rendered ahead is viewed when it is shown", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			Notes []struct {
				Prerendering bool
				Time         int64
			}
		}
		s.play(t, "goToPrerendered", nil, &saw)
		require.True(t, saw.Notes[0].Prerendering)
		require.False(t, saw.Notes[1].Prerendering)
		s.requireViews(t, view{"/ahead.html", ""}, view{"/shown.html", "/ahead.html"})

		// The first page waits half a second before it shows the second.
		rendered := time.UnixMilli(saw.Notes[0].Time)
		require.Greater(t, s.stored(t)[1].Timestamp.Sub(rendered), 400*time.Millisecond, "the view is that of the visitor")
	})
}
