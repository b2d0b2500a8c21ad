package event_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
)

// meanings are texts of data; those of one row have the same content.
func meanings() [][]string {
	return [][]string{
		{`{}`, ` { } `},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, "{\n\"b\" : 2 ,\t\"\\u0061\" : 1 }"},
		{`{"a":{"b":1,"c":{"d":2,"e":3}}}`, `{"a":{"c":{"e":3,"d":2},"b":1}}`},
		{`{"a":100}`, `{"a":1e2}`, `{"a":1E+2}`, `{"a":100.0}`, `{"a":100.000}`, `{"a":0.1e3}`, `{"a":1000e-1}`, `{"a":10e001}`},
		{`{"a":0}`, `{"a":-0}`, `{"a":0.0}`, `{"a":-0.00}`, `{"a":0e5}`, `{"a":-0e-5}`, `{"a":0.0E+10}`},
		{`{"a":-1}`, `{"a":-1.0}`, `{"a":-10e-1}`},
		{`{"a":0.001}`, `{"a":1e-3}`, `{"a":0.1e-2}`, `{"a":0.00100}`},
		{`{"a":12.5}`, `{"a":1250e-2}`, `{"a":1.25E1}`, `{"a":12.50}`},
		{`{"a":9007199254740993}`, `{"a":9007199254740993.0}`, `{"a":9.007199254740993e15}`},
		{`{"a":9007199254740992}`},
		{`{"a":1234567890123456789012345678901234567890}`},
		{`{"a":1234567890123456789012345678901234567891}`},
		{`{"a":1e308}`},
		{`{"a":1e307}`},
		{`{"a":5e-324}`},
		{`{"a":4e-324}`},
		{`{"a":10}`},
		{`{"a":1}`},
		{`{"a":"é😀/\"\\\n"}`, `{"a":"\u00e9\ud83d\ude00\/\u0022\u005c\u000a"}`, `{"\u0061":"\u00E9\uD83D\uDE00/\"\\\n"}`},
		{`{"a":"e\u0301"}`},
		{`{"a":"\u00e9"}`}, // looks the same, is not the same
		{`{"a":"\\u0000"}`},
		{`{"a":"u0000"}`},
		{`{"a":"\ufffd"}`},
		{`{"a":"\\ufffd"}`},
		{`{"a":"\u0001"}`},
		{`{"a":"\\x01"}`},
		{`{"a":"\u007f"}`},
		{`{"a":"\u200b"}`},
		{`{"a":"\ue000"}`},
		{`{"a":"\udbff\udfff"}`},
		{`{"a":"1"}`},
		{`{"a":"1e0"}`},
		{`{"a":"null"}`},
		{`{"a":null}`},
		{`{"a":"true"}`},
		{`{"a":true}`},
		{`{"a":false}`},
		{`{"a":""}`},
		{`{"a":" "}`},
		{`{"a":[]}`},
		{`{"a":{}}`},
		{`{"a":[[]]}`},
		{`{"a":[{}]}`},
		{`{"a":[],"b":[]}`},
		{`{"a":[null]}`},
		{`{"a":[null,null]}`},
		{`{"a":[1,2]}`, `{"a":[1.0,2e0]}`},
		{`{"a":[2,1]}`},
		{`{"a":[12]}`},
		{`{"a":[1,[2]]}`},
		{`{"a":[[1],2]}`},
		{`{"a":"[1,2]"}`},
		{`{"":1}`},
		{`{" ":1}`},
		{`{"A":1}`},
		{`{"a":{"b":1},"c":2}`},
		{`{"a":{"b":1,"c":2}}`},
		{`{"a,b":1}`},
		{`{"a\":1,\"b":2}`},
		{`{"a":"1,\"b\":2"}`},
	}
}

func TestCanonicalTellsMeaningsApart(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, same := range meanings() {
		want := string(event.Canonicalize([]byte(same[0])))
		require.NotContains(t, seen, want, same[0])
		seen[want] = same[0]
		for _, other := range same {
			require.Empty(t, violationsOf(t, text(members{"data": other})))
			require.Equal(t, want, string(event.Canonicalize([]byte(other))), other)
		}
	}
}

func TestCanonicalOfWhatIsNotJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{``, `{`, `{"a":}`, "\xff", `nothing`} {
		require.Equal(t, text, string(event.Canonicalize([]byte(text))))
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	base := event.Event{
		ID: uuid.New(), SessionID: uuid.New(), Category: "page", Name: "view",
		Data: []byte(`{"a":1,"b":[100]}`), Timestamp: time.Date(2025, 12, 31, 12, 0, 0, 1000, time.UTC),
	}
	changed := func(change func(e *event.Event)) event.Digest {
		e := base
		change(&e)
		return e.Digest()
	}
	for name, change := range map[string]func(e *event.Event){
		"nothing":        func(*event.Event) {},
		"the id":         func(e *event.Event) { e.ID = uuid.New() },
		"order, numbers": func(e *event.Event) { e.Data = []byte(`{"b":[1e2], "a":1.0}`) },
		"the zone":       func(e *event.Event) { e.Timestamp = e.Timestamp.In(time.FixedZone("", 3600)) },
		"what is cut":    func(e *event.Event) { e.Timestamp = e.Timestamp.Add(999) },
	} {
		require.Equal(t, base.Digest(), changed(change), name)
	}

	digests := map[event.Digest]string{base.Digest(): "nothing"}
	for name, change := range map[string]func(e *event.Event){
		"session":         func(e *event.Event) { e.SessionID[15]++ },
		"category":        func(e *event.Event) { e.Category = "Page" },
		"name":            func(e *event.Event) { e.Name = "view " },
		"names, moved":    func(e *event.Event) { e.Category, e.Name = "pagev", "iew" },
		"names, swapped":  func(e *event.Event) { e.Category, e.Name = e.Name, e.Category },
		"data":            func(e *event.Event) { e.Data = []byte(`{"a":1,"b":[101]}`) },
		"a microsecond":   func(e *event.Event) { e.Timestamp = e.Timestamp.Add(time.Microsecond) },
		"a digit's place": func(e *event.Event) { e.Category = "1page" },
		"data in a name":  func(e *event.Event) { e.Name, e.Data = `view{"a":1e0,"b":[1e2,],}`, []byte(`{}`) },
		"composed":        func(e *event.Event) { e.Name = "vi\u00e9w" },
		"decomposed":      func(e *event.Event) { e.Name = "vie\u0301w" },
	} {
		digest := changed(change)
		require.Empty(t, digests[digest], name)
		digests[digest] = name
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	base := event.Stored{
		Event: event.Event{
			ID: uuid.New(), SessionID: uuid.New(), Category: "page", Name: "view",
			Data: []byte(`{"a": 1}`), Timestamp: time.Date(2025, 12, 31, 12, 0, 0, 0, time.UTC),
		},
		ApplicationID: 1, Application: "shop", ReceivedAt: time.Date(2025, 12, 31, 12, 0, 1, 0, time.UTC), Sequence: 12,
	}
	require.Regexp(t, `^"[0-9a-f]{32}"$`, base.ETag())
	tags := map[string]string{base.ETag(): "nothing"}
	for name, change := range map[string]func(e *event.Stored){
		"id":          func(e *event.Stored) { e.ID[0]++ },
		"session":     func(e *event.Stored) { e.SessionID[0]++ },
		"category":    func(e *event.Stored) { e.Category = "pages" },
		"name":        func(e *event.Stored) { e.Name = "" },
		"data":        func(e *event.Stored) { e.Data = []byte(`{"a": 1.0}`) },
		"timestamp":   func(e *event.Stored) { e.Timestamp = e.Timestamp.Add(time.Microsecond) },
		"received at": func(e *event.Stored) { e.ReceivedAt = e.ReceivedAt.Add(time.Microsecond) },
		"sequence":    func(e *event.Stored) { e.Sequence++ },
		"application": func(e *event.Stored) { e.Application = "blog" },
	} {
		other := base
		change(&other)
		require.Empty(t, tags[other.ETag()], name)
		tags[other.ETag()] = name
	}
}

func TestBefore(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 12, 31, 12, 0, 0, 0, time.UTC)
	stored := func(at time.Time, sequence int64) *event.Stored {
		return &event.Stored{Event: event.Event{Timestamp: at}, Sequence: sequence}
	}
	require.True(t, stored(at, 2).Before(stored(at.Add(1), 1)))
	require.False(t, stored(at.Add(1), 1).Before(stored(at, 2)))
	require.True(t, stored(at, 1).Before(stored(at.In(time.FixedZone("", 60)), 2)))
	require.False(t, stored(at, 2).Before(stored(at, 2)))
}
