package event_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

func FuzzParse(f *testing.F) {
	f.Add([]byte(text(nil)))
	f.Add([]byte(withData(`["\ud83d\ude00",1e308,{"a":null}]`)))
	f.Add([]byte("[" + text(nil) + "," + withData(`"\u0000"`) + "]"))
	rules := event.DefaultRules()
	f.Fuzz(func(t *testing.T, body []byte) {
		envelopes, single, err := event.ParseJSON(body, &rules, now())
		again, singleAgain, errAgain := event.ParseJSON(bytes.Clone(body), &rules, now())
		require.Equal(t, envelopes, again)
		require.Equal(t, single, singleAgain)
		require.Equal(t, err, errAgain)
		if err != nil {
			checkFault(t, err)
			if fault.Is(err, fault.CodeInvalidJSON) || fault.Is(err, fault.CodeTrailingText) {
				require.False(t, json.Valid(body))
			}

			return
		}

		require.NotEmpty(t, envelopes)
		for i := range envelopes {
			checkEnvelope(t, &envelopes[i])
		}
	})
}

func checkFault(t *testing.T, err error) {
	t.Helper()
	f, ok := fault.As(err)
	require.True(t, ok)
	require.NotEqual(t, fault.Internal, f.Kind)
	require.NotEmpty(t, f.Detail)
}

// checkEnvelope checks the properties of every envelope.
func checkEnvelope(t *testing.T, e *event.Envelope) {
	t.Helper()
	require.LessOrEqual(t, len(e.Violations), event.MaxViolations)
	for _, v := range e.Violations {
		require.NotEmpty(t, v.Code)
		for _, text := range []string{v.Pointer, v.Detail} {
			requireStorable(t, text)
			require.LessOrEqual(t, len(text), 1024)
		}

		if v.Code == fault.CodeInvalidJSON || v.Code == fault.CodeTrailingText || v.Code == fault.CodeMalformedEvent {
			require.False(t, json.Valid(e.Raw))
		}
	}

	requireStorable(t, e.Event.Category) // of rejected events, too: it is stored with them
	requireStorable(t, e.Event.Name)
	if e.Accepted() {
		checkAccepted(t, e)
	}
}

func requireStorable(t *testing.T, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text) && !strings.Contains(text, "\x00"), "%q", text)
}

// checkAccepted compares an accepted event with the result of encoding/json.
func checkAccepted(t *testing.T, e *event.Envelope) {
	t.Helper()
	requireNoDuplicates(t, e.Raw)
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(e.Raw, &members))
	var category, name, timestamp string
	var session uuid.UUID
	require.NoError(t, json.Unmarshal(members["category"], &category))
	require.NoError(t, json.Unmarshal(members["name"], &name))
	require.NoError(t, json.Unmarshal(members["timestamp"], &timestamp))
	require.NoError(t, json.Unmarshal(members["session_id"], &session))
	at, ok := event.ParseTimestamp(timestamp)
	require.True(t, ok)
	require.Equal(t, event.Event{
		ID: e.Event.ID, SessionID: session, Category: category, Name: name, Data: members["data"], Timestamp: at,
	}, withRaw(e.Event))
	id, sent := members["event_id"]
	require.Equal(t, sent, e.Has(event.FieldID))
	if sent {
		var want uuid.UUID
		require.NoError(t, json.Unmarshal(id, &want))
		require.Equal(t, want, e.Event.ID)
	}

	for _, m := range e.ReadOnly {
		require.Equal(t, string(members[m.Name]), string(m.Text))
		delete(members, m.Name)
	}

	require.Empty(t, slices.DeleteFunc(names(members), func(name string) bool {
		return slices.Contains([]string{"session_id", "category", "name", "data", "timestamp", "event_id"}, name)
	}), "nothing is dropped in silence")
}

// withRaw gives data the type that encoding/json returns.
func withRaw(e event.Event) event.Event {
	e.Data = json.RawMessage(e.Data)
	return e
}

func names(members map[string]json.RawMessage) (list []string) {
	for name := range members {
		list = append(list, name)
	}

	return list
}

func requireNoDuplicates(t *testing.T, text []byte) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var check func()
	check = func() {
		token, err := decoder.Token()
		require.NoError(t, err)
		opening, _ := token.(json.Delim)
		seen := map[json.Token]bool{}
		for opening != 0 && decoder.More() {
			if opening == '{' {
				name, err := decoder.Token()
				require.NoError(t, err)
				require.False(t, seen[name], "%s is there twice", name)
				seen[name] = true
			}

			check()
		}

		if opening != 0 {
			_, err = decoder.Token()
			require.NoError(t, err)
		}
	}
	check()
}

func FuzzBatch(f *testing.F) {
	f.Add([]byte("[" + text(nil) + "," + text(nil) + "]"))
	f.Add([]byte(`[null, 1 ,"a]",[{"}":[]}],{}]`))
	rules := event.DefaultRules()
	f.Fuzz(func(t *testing.T, body []byte) {
		var elements []json.RawMessage
		if json.Unmarshal(body, &elements) != nil || len(elements) == 0 || len(elements) > rules.BatchEvents {
			return
		}

		envelopes, single, err := event.ParseJSON(body, &rules, now())
		require.NoError(t, err)
		require.False(t, single)
		require.Len(t, envelopes, len(elements))
		for i, element := range elements {
			require.Equal(t, string(element), string(envelopes[i].Raw))
			alone, single, err := event.ParseJSON(element, &rules, now())
			if single {
				require.NoError(t, err)
				requireSameVerdict(t, alone[0], envelopes[i])
			} else {
				require.Equal(t, []string{" invalid_type"}, found(envelopes[i]))
			}
		}
	})
}

func FuzzParseNDJSON(f *testing.F) {
	f.Add([]byte(text(nil) + "\n" + text(nil) + "\r\n\n"))
	f.Add([]byte(text(nil) + "\n{\n" + text(nil)))
	rules := event.DefaultRules()
	f.Fuzz(func(t *testing.T, body []byte) {
		lines := slices.DeleteFunc(strings.Split(string(body), "\n"), func(line string) bool { return strings.Trim(line, " \t\r") == "" })
		envelopes, err := event.ParseNDJSON(body, &rules, now())
		if len(lines) == 0 || len(lines) > rules.BatchEvents {
			checkFault(t, err)
			return
		}

		require.NoError(t, err)
		require.Len(t, envelopes, len(lines))
		for i, line := range lines {
			checkEnvelope(t, &envelopes[i])
			alone, single, err := event.ParseJSON([]byte(line), &rules, now())
			if single {
				require.NoError(t, err)
				requireSameVerdict(t, alone[0], envelopes[i])
			} else {
				require.False(t, envelopes[i].Accepted(), "an array on a line is not an event")
			}
		}
	})
}

// requireSameVerdict compares two envelopes except for positions in the text. An event that is
// not JSON has another code where it stands alone, and there may be others before it.
func requireSameVerdict(t *testing.T, a, b event.Envelope) {
	t.Helper()
	codes := found(a)
	if slices.Contains(codes, " invalid_json") {
		codes = []string{" malformed_event"}
	}

	require.Equal(t, codes, found(b))
	require.Equal(t, a.Event, b.Event)
	require.Equal(t, a.Known, b.Known)
}

func FuzzParseTimestamp(f *testing.F) {
	f.Add("2021-01-01T09:15:27.243860Z")
	f.Add("2021-01-01 09:15:27.243860")
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := event.ParseTimestamp(text)
		if !ok {
			require.True(t, at.IsZero())
			return
		}

		again, ok := event.ParseTimestamp(event.FormatTimestamp(at))
		require.True(t, at.Year() < 1 || (ok && again.Equal(at)), "a rendered time is read back")
		upper := strings.ToUpper(text)
		if len(text) > 10 && text[10] == ' ' {
			upper = upper[:10] + "T" + upper[11:]
		}

		if !strings.ContainsAny(upper[10:], "Z+-") {
			upper += "Z"
		}

		want, err := time.Parse(time.RFC3339Nano, upper)
		require.NoError(t, err, "every accepted time is RFC 3339 except for the space and the zone")
		require.Equal(t, want.UTC().Truncate(time.Microsecond), at)
	})
}

func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"a":1e2,"b":[-0,"\u00e9"]}`), []byte(`{"b":[0,"é"],"a":100.0}`))
	for _, same := range meanings() {
		f.Add([]byte(same[0]), []byte(same[len(same)-1]))
	}

	rules := event.DefaultRules()
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if event.CheckObject(a, &rules) != nil {
			return
		}

		canonical := string(event.Canonicalize(a))
		require.Equal(t, canonical, string(event.Canonicalize([]byte(canonical))), "canonical text does not change")
		var indented bytes.Buffer
		require.NoError(t, json.Indent(&indented, a, "\r", "\t "))
		require.Equal(t, canonical, string(event.Canonicalize(indented.Bytes())))
		rewritten, err := json.Marshal(decode(t, a))
		require.NoError(t, err)
		require.Equal(t, canonical, string(event.Canonicalize(rewritten)))
		if event.CheckObject(b, &rules) == nil {
			require.Equal(t, equal(t, decode(t, a), decode(t, b)), canonical == string(event.Canonicalize(b)))
		}
	})
}

func decode(t *testing.T, text []byte) (document any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&document))
	return document
}

// equal compares two documents, their numbers by value.
func equal(t *testing.T, a, b any) bool {
	t.Helper()
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}

		for name := range a {
			if other, ok := b[name]; !ok || !equal(t, a[name], other) {
				return false
			}
		}

		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, func(x, y any) bool { return equal(t, x, y) })
	case json.Number:
		b, ok := b.(json.Number)
		return ok && rational(t, a).Cmp(rational(t, b)) == 0
	}

	switch b.(type) {
	case map[string]any, []any, json.Number:
		return false
	}

	return a == b
}

func rational(t *testing.T, number json.Number) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(number.String())
	require.True(t, ok)
	return r
}
