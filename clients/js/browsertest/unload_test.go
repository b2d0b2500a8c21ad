//go:build browser

package browsertest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// flights are the most that was in flight at once of what may outlive its page.
type flights struct {
	Most      int `json:"most"`
	MostBytes int `json:"mostBytes"` //nolint:tagliatelle // JavaScript's
}

// What a browser allows, in all requests that outlive their page together (Fetch standard).
const (
	mostFlights     = 9
	mostFlightBytes = 64 << 10
)

func TestEndOfPage(t *testing.T) {
	t.Parallel()
	b := openTestbed(t)

	for _, end := range []string{"navigated", "closed", "quit"} {
		t.Run("what is tracked last arrives, 20 of 20, when the page is "+end, func(t *testing.T) {
			s := b.openStage(t)
			var saw struct{ IDs []string }
			s.play(t, "trackAtTheEnd", map[string]any{"end": end, "pages": 20, "delay": 150}, &saw)
			require.Len(t, saw.IDs, 20)
			require.EventuallyWithT(t, func(t *assert.CollectT) {
				assert.ElementsMatch(t, saw.IDs, s.storedIDs(t))
			}, patience, step)
		})
	}

	t.Run("what does not fit into the browser's budget is sent by the next page", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			IDs     []string
			Flights flights
		}
		s.play(t, "leaveWithTooMuch", nil, &saw)
		require.ElementsMatch(t, saw.IDs, s.storedIDs(t))
		require.LessOrEqual(t, saw.Flights.MostBytes, mostFlightBytes)
		for _, request := range s.front.sent() {
			require.LessOrEqual(t, request.Bytes, 60_000)
		}
	})

	t.Run("many flushes stay in the browser's budget", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			IDs     []string
			Flights flights
		}
		s.play(t, "hideAgainAndAgain", nil, &saw)
		require.ElementsMatch(t, saw.IDs, s.storedIDs(t))
		require.Greater(t, saw.Flights.Most, 1, "without requests side by side there is nothing to see")
		require.LessOrEqual(t, saw.Flights.Most, mostFlights)
		require.LessOrEqual(t, saw.Flights.MostBytes, mostFlightBytes)
	})
}
