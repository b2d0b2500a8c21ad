package traffic_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/load/traffic"
	"github.com/the-eye-events/the-eye/internal/event"
)

const recorded = `{"event_id":"0190163d-8694-739b-aea5-966c26f8ad91","session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"page","name":"vi\"ew","data":{"ä":[1e2]},"timestamp":"2021-01-01 09:15:27"}

{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"page","name":"click","data":{},"timestamp":"2021-01-01T09:15:27Z","sequence":2,"received_at":"2021-01-01T09:15:28Z","application":"shop"}
{"session_id":"11111111-2222-4333-8444-555555555555","category":"Seite","name":"клік","data":{"deep":{"x":null}},"timestamp":"2031-01-01T09:15:27Z"}
`

// runStart is the start of the runs in these tests.
func runStart() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 891234567, time.UTC) }

// newSources makes one source of each kind.
func newSources(t *testing.T, run traffic.Run) map[string]*traffic.Source {
	t.Helper()
	many, err := traffic.NewSessions(run, 300)
	require.NoError(t, err)
	file, err := traffic.NewRecording(run, []byte(recorded))
	require.NoError(t, err)

	return map[string]*traffic.Source{"sessions": many, "hot": traffic.NewHot(run), "file": file}
}

func TestEventsFollowFromRunAndIndex(t *testing.T) {
	t.Parallel()
	once := newSources(t, traffic.NewRun(7, runStart()))
	again := newSources(t, traffic.NewRun(7, runStart()))
	later := newSources(t, traffic.NewRun(7, runStart().Add(time.Microsecond)))
	for name, source := range once {
		scratch := make([]byte, 0, 100)
		for i := range uint64(2000) {
			at := runStart().Add(time.Duration(i) * time.Millisecond)
			e := source.MakeEvent(i, at, nil)
			other := again[name].MakeEvent(i, at, scratch)
			require.Equal(t, e, other, "%s %d", name, i)
			require.Equal(t, at.Truncate(time.Microsecond), e.Timestamp)
			moved := source.MakeEvent(i, at.Add(time.Second), nil)
			moved.Timestamp = e.Timestamp
			require.Equal(t, e, moved, "only the timestamp is that of sending")

			next := later[name].MakeEvent(i, at, nil)
			require.NotEqual(t, e.ID, next.ID, "runs have ids of their own")
			require.NotEqual(t, e.SessionID, next.SessionID, "and sessions")
			require.Equal(t, e.Data, next.Data, "contents follow from the seed")
		}
	}

	require.NotEqual(t, once["hot"].MakeEvent(1, runStart(), nil).Data, newSources(t, traffic.NewRun(8, runStart()))["hot"].MakeEvent(1, runStart(), nil).Data)
}

func TestIDsLeadBackToIndexes(t *testing.T) {
	t.Parallel()
	run := traffic.NewRun(1, runStart())
	other := traffic.NewRun(1, runStart().Add(time.Hour))
	indexes := []uint64{0, 1, 1<<30 - 1, 1 << 30, traffic.MaxEvents - 1}
	for range 1000 {
		indexes = append(indexes, rand.Uint64N(traffic.MaxEvents))
	}

	for _, i := range indexes {
		id := run.ID(i)
		index, ours := run.IndexOf(id)
		require.True(t, ours)
		require.Equal(t, i, index)
		require.Equal(t, uuid.Version(7), id.Version())
		require.Equal(t, uuid.RFC4122, id.Variant())
		seconds, nanos := id.Time().UnixTime()
		require.Equal(t, runStart().UnixMilli(), time.Unix(seconds, nanos).UnixMilli())
		_, ours = other.IndexOf(id)
		require.False(t, ours, "an id of another run")
	}

	first := run.ID(5)
	second := run.ID(6)
	require.Negative(t, bytes.Compare(first[:], second[:]), "ids ascend")
	_, ours := run.IndexOf(uuid.Must(uuid.NewV7()))
	require.False(t, ours)
}

func TestEveryEventKeepsTheRules(t *testing.T) {
	t.Parallel()
	rules := event.DefaultRules()
	for name, source := range newSources(t, traffic.NewRun(3, runStart())) {
		types := map[string]int{}
		smallest := 1 << 20
		largest := 0
		unicode := false
		for i := range uint64(5000) {
			e := source.MakeEvent(i, runStart(), nil)
			text := traffic.AppendEvent(nil, &e)
			envelopes, single, err := event.ParseJSON(text, &rules, runStart())
			require.NoError(t, err, "%s", text)
			require.True(t, single)
			require.Empty(t, envelopes[0].Violations, "%s", text)
			require.Equal(t, e, envelopes[0].Event, "what is sent is what is made again")
			require.Equal(t, source.OwnsSession(e.SessionID), strings.HasSuffix(e.SessionID.String(), source.SessionSuffix()))
			require.True(t, source.OwnsSession(e.SessionID))
			types[e.Category+"/"+e.Name]++
			smallest = min(smallest, len(text))
			largest = max(largest, len(text))
			unicode = unicode || len([]rune(string(text))) < len(text)
		}

		require.True(t, unicode, name)
		if name != "file" {
			require.Len(t, types, 5, "%s", name)
			require.Greater(t, smallest, 100, name)
			require.Greater(t, largest, 1000, name)
			require.Less(t, largest, 2000, name)
		}
	}
}

func TestSessionsHaveALife(t *testing.T) {
	t.Parallel()
	const concurrent, events = 50, 50_000
	source, err := traffic.NewSessions(traffic.NewRun(1, runStart()), concurrent)
	require.NoError(t, err)
	type life struct{ first, last, events int }
	lives := map[uuid.UUID]*life{}
	for i := range events {
		id := source.MakeEvent(uint64(i), runStart(), nil).SessionID
		if lives[id] == nil {
			lives[id] = &life{first: i}
		}

		lives[id].last = i
		lives[id].events++
	}

	average := events / len(lives)
	require.True(t, average >= 5 && average <= 60, "sessions have %d events on average", average)
	ended, late := 0, 0
	var most int
	for _, l := range lives {
		if l.last < events/2 {
			ended++
		}

		if l.first > events/2 {
			late++
		}

		most = max(most, l.events)
	}

	require.Greater(t, ended, len(lives)/4, "sessions end")
	require.Greater(t, late, len(lives)/4, "and others begin")
	require.Less(t, most, 200, "no session lives for ever")
	alive := 0
	for _, l := range lives {
		if l.first <= events/2 && l.last >= events/2 {
			alive++
		}
	}

	require.True(t, alive > concurrent/2 && alive <= concurrent, "%d sessions at once", alive)
}

func TestHotIsOneSession(t *testing.T) {
	t.Parallel()
	source := traffic.NewHot(traffic.NewRun(1, runStart()))
	for i := range uint64(1000) {
		require.Equal(t, source.MakeEvent(0, runStart(), nil).SessionID, source.MakeEvent(i, runStart(), nil).SessionID)
	}
}

func TestRecordingsAreReplayedRoundAndRound(t *testing.T) {
	t.Parallel()
	source, err := traffic.NewRecording(traffic.NewRun(1, runStart()), []byte(recorded))
	require.NoError(t, err)
	at := func(i uint64) event.Event { return source.MakeEvent(i, runStart(), nil) }
	require.Equal(t, `vi"ew`, at(0).Name)
	require.Equal(t, "клік", at(2).Name)
	require.Equal(t, at(0).SessionID, at(1).SessionID, "events of one session stay in one session")
	require.NotEqual(t, at(0).SessionID, at(2).SessionID)
	require.NotEqual(t, at(0).SessionID, at(3).SessionID, "every pass has sessions of its own")
	require.Equal(t, at(0).Data, at(3).Data)
	require.NotEqual(t, at(0).ID, at(3).ID)
}

func TestRecordingsThatCannotBeSentAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "not json", `{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423"}`,
		strings.Replace(strings.Split(recorded, "\n")[0], `"name"`, `"other":1,"name"`, 1),
	} {
		_, err := traffic.NewRecording(traffic.NewRun(1, runStart()), []byte(text))
		require.Error(t, err, text)
	}

	_, err := traffic.NewSessions(traffic.NewRun(1, runStart()), 0)
	require.Error(t, err)
}

// The cost of making an event bounds the rate that one machine can send.
func BenchmarkEvent(b *testing.B) {
	source, err := traffic.NewSessions(traffic.NewRun(1, runStart()), 1000)
	require.NoError(b, err)
	text := make([]byte, 0, 4096)
	scratch := make([]byte, 0, 4096)
	b.ReportAllocs()
	for i := range uint64(b.N) {
		e := source.MakeEvent(i, runStart(), scratch)
		text = traffic.AppendEvent(text[:0], &e)
	}

	require.NotEmpty(b, fmt.Sprint(len(text)))
}
