//go:build browser

package browsertest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// verdict is an argument of onVerdict.
type verdict struct {
	EventID  string           `json:"event_id"`
	Status   string           `json:"status"`
	Sequence int              `json:"sequence"`
	Errors   []map[string]any `json:"errors"`
}

// failure is an argument of onError.
type failure struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
}

// stats are the counters of a client.
type stats struct {
	Queued    int            `json:"queued"`
	Stored    int            `json:"stored"`
	Duplicate int            `json:"duplicate"`
	Rejected  int            `json:"rejected"`
	Dropped   map[string]int `json:"dropped"`
}

// idsOf returns the events that have a verdict; one with two verdicts is there twice.
func idsOf(verdicts []verdict) []string {
	ids := []string{}
	for _, v := range verdicts {
		ids = append(ids, v.EventID)
	}

	return ids
}

func TestQueue(t *testing.T) {
	t.Parallel()
	b := openTestbed(t)

	t.Run("an event survives the reload of its page", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			IDs          []string
			Verdicts     []verdict
			Queued, Left int
		}
		s.play(t, "reloadWhileOffline", nil, &saw)
		require.Equal(t, 5, saw.Queued)
		require.Zero(t, saw.Left)
		require.ElementsMatch(t, saw.IDs, idsOf(saw.Verdicts))
		require.ElementsMatch(t, saw.IDs, s.storedIDs(t))
	})

	t.Run("a lost answer makes no second event", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			IDs      []string
			Verdicts []verdict
			Failures []failure
		}
		s.play(t, "loseAnswer", nil, &saw)
		require.ElementsMatch(t, saw.IDs, idsOf(saw.Verdicts))
		require.ElementsMatch(t, saw.IDs, s.storedIDs(t))
		require.NotEmpty(t, saw.Failures)
		require.Zero(t, saw.Failures[0].Status)

		first := map[string]sentEvent{}
		for _, sent := range s.front.sentEvents() {
			if before, again := first[sent.EventID]; again {
				require.Equal(t, before, sent, "an event that was sent once is never sent otherwise")
			}

			first[sent.EventID] = sent
		}
	})

	t.Run("a rejection is final, and touches no other event", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			IDs      []string
			Verdicts []verdict
			Stats    stats
		}
		s.play(t, "trackOneThatIsRejected", nil, &saw)
		require.Equal(t, stats{Stored: 2, Rejected: 1, Dropped: map[string]int{}}, saw.Stats)
		require.Len(t, s.front.sentEvents(), 3, "what was rejected is not sent again")
		require.ElementsMatch(t, []string{saw.IDs[0], saw.IDs[2]}, s.storedIDs(t))

		for _, v := range saw.Verdicts {
			if v.EventID == saw.IDs[1] {
				require.Equal(t, "rejected", v.Status)
				require.Equal(t, "/name", v.Errors[0]["pointer"])
			} else {
				require.Equal(t, "stored", v.Status)
				require.Positive(t, v.Sequence)
			}
		}
	})

	for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests} {
		t.Run("no request is sent before Retry-After: "+http.StatusText(status), func(t *testing.T) {
			s := b.openStage(t)
			var saw struct{ Failures []failure }
			s.play(t, "askForPatience", map[string]any{"status": status}, &saw)
			sent := s.front.sent()
			require.GreaterOrEqual(t, sent[1].At.Sub(sent[0].At), 2*time.Second)
			require.Equal(t, status, saw.Failures[0].Status)
			require.Len(t, s.storedIDs(t), 2)
		})
	}

	t.Run("a Retry-After of a day is waited for", func(t *testing.T) {
		s := b.openStage(t)
		s.play(t, "askForADay", nil, new(struct{}))
		require.Len(t, s.front.sent(), 1)
	})

	t.Run("a revoked key and a network failure are reported differently, and the events stay", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			IDs              []string
			Network, Revoked failure
			Queued           int
		}
		s.play(t, "failInTwoWays", map[string]any{"revoked": b.revokedKey(t)}, &saw)
		require.Zero(t, saw.Network.Status)
		require.Equal(t, failure{Status: http.StatusUnauthorized, Code: "unauthorized"}, saw.Revoked)
		require.Equal(t, 1, saw.Queued)
	})

	t.Run("a full queue refuses the newest, and says so", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			IDs, Later []string
			Refused    int
			Full       stats
		}
		s.play(t, "fillQueue", nil, &saw)
		require.Equal(t, 10, saw.Refused)
		require.Equal(t, map[string]int{"full": 10}, saw.Full.Dropped)
		require.Len(t, saw.IDs, 20)
		require.ElementsMatch(t, append(saw.IDs, saw.Later...), s.storedIDs(t))
	})

	t.Run("two tabs share the queue, and each verdict is reported once", func(t *testing.T) {
		s := b.openStage(t)
		var saw struct {
			IDs      []string
			Verdicts []verdict
			Queued   []int
		}
		s.play(t, "trackInTwoTabs", nil, &saw)
		require.ElementsMatch(t, saw.IDs, idsOf(saw.Verdicts))
		require.ElementsMatch(t, saw.IDs, s.storedIDs(t))
	})
}
