package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

// differential compares the decoder with the database: an accepted event can be stored and is
// read back unchanged, and a rejected one can be recorded.
type differential struct {
	store *postgres.EventStore
	again *postgres.EventStore
	pool  *pgxpool.Pool
	rules event.Rules
}

func newDifferential(t testing.TB) *differential {
	t.Helper()
	b := newBundle(t)
	keep := postgres.RejectionBounds{Rows: 1 << 40, Bytes: 1 << 40, RawBytes: 64 << 10}
	return &differential{store: newStore(b.db, keep), again: newStore(b.db, keep), pool: b.database.Pool(t), rules: event.DefaultRules()}
}

// clock is fixed, so that a corpus does not become outdated.
func clock() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// commit stores envelopes as one group, which must not have to be split.
func (d *differential) commit(t testing.TB, store *postgres.EventStore, envelopes []event.Envelope) []ingest.Verdict {
	t.Helper()
	request := &ingest.Request{ID: "differential", Application: shop, ReceivedAt: clock(), Envelopes: envelopes}
	verdicts := make([]ingest.Verdict, len(envelopes))
	group := &ingest.Group{}
	for i := range envelopes {
		if e := &envelopes[i]; !e.Accepted() {
			verdicts[i] = ingest.Verdict{Status: ingest.Rejected, ErrorID: newID(), Violations: e.Violations}
		}

		group.Items = append(group.Items, ingest.Item{Request: request, Envelope: &envelopes[i], Verdict: &verdicts[i]})
	}

	require.NoError(t, store.Commit(t.Context(), group))
	return verdicts
}

// check stores envelopes, reads them back, and stores them again.
func (d *differential) check(t testing.TB, envelopes []event.Envelope) {
	t.Helper()
	sent := map[uuid.UUID]*event.Event{}
	ids := []uuid.UUID{}
	for i := range envelopes {
		if e := &envelopes[i]; e.Accepted() {
			e.Event.ID = newID() // the corpus holds the same ids again and again
			e.Known |= event.FieldID
			sent[e.Event.ID] = &e.Event
			ids = append(ids, e.Event.ID)
		}
	}

	for i, v := range d.commit(t, d.store, envelopes) {
		if envelopes[i].Accepted() {
			require.Equal(t, ingest.Stored, v.Status)
		}
	}

	rows, err := d.pool.Query(t.Context(), `select event_id, session_id, category, name, data::text, "timestamp" from event where event_id = any($1)`, ids)
	require.NoError(t, err)
	defer rows.Close()

	read := 0
	for ; rows.Next(); read++ {
		var got event.Event
		var data string
		require.NoError(t, rows.Scan(&got.ID, &got.SessionID, &got.Category, &got.Name, &data, &got.Timestamp))
		want := *sent[got.ID]
		require.Equal(t, string(event.Canonicalize(want.Data)), string(event.Canonicalize([]byte(data))))
		got.Data, got.Timestamp, want.Data = nil, got.Timestamp.UTC(), nil
		require.Equal(t, want, got)
	}

	require.NoError(t, rows.Err())
	require.Equal(t, len(sent), read)
	for i, v := range d.commit(t, d.again, envelopes) {
		if envelopes[i].Accepted() {
			require.Equal(t, ingest.Duplicate, v.Status, "the stored event has the digest of the sent one: %s", envelopes[i].Raw)
		}
	}
}

func TestWhateverIsAcceptedCanBeStored(t *testing.T) {
	t.Parallel()
	d := newDifferential(t)
	g := &generator{Rand: rand.New(rand.NewPCG(1, 2))}
	const documents, group = 5000, 500
	accepted, envelopes := 0, []event.Envelope{}
	for n := 1; n <= documents; n++ {
		parsed, _, err := event.ParseJSON([]byte(g.event()), &d.rules, clock())
		if err == nil {
			envelopes = append(envelopes, parsed...)
		}

		if len(parsed) > 0 && parsed[0].Accepted() {
			accepted++
		}

		if n%group == 0 {
			d.check(t, envelopes)
			envelopes = envelopes[:0]
		}
	}

	require.Greater(t, accepted, documents/4, "too few events are accepted to prove anything")
	require.Less(t, accepted, documents*3/4, "too few events are rejected to prove anything")
}

func FuzzStorable(f *testing.F) {
	g := &generator{Rand: rand.New(rand.NewPCG(3, 4))}
	for range 20 {
		f.Add([]byte(g.event()))
	}

	d := newDifferential(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		envelopes, _, err := event.ParseJSON(body, &d.rules, clock())
		if err != nil {
			envelopes, err = event.ParseNDJSON(body, &d.rules, clock())
		}

		if err == nil {
			d.check(t, envelopes)
		}
	})
}

// TestDigestAgreesWithPostgres compares documents in pairs: one is the other rewritten, or
// slightly changed, or both.
func TestDigestAgreesWithPostgres(t *testing.T) {
	t.Parallel()
	d := newDifferential(t)
	g := &generator{Rand: rand.New(rand.NewPCG(5, 6)), tame: true}
	var left, right []string
	for len(left) < 1500 {
		a := g.object(3)
		b := g.rewritten(a)
		if g.IntN(2) == 0 {
			b = g.changed(b)
		}

		if event.CheckObject([]byte(a), &d.rules) == nil && event.CheckObject([]byte(b), &d.rules) == nil {
			left, right = append(left, a), append(right, b)
		}
	}

	var equal []bool
	require.NoError(t, d.pool.QueryRow(t.Context(),
		`select array_agg(a::jsonb = b::jsonb order by n) from unnest($1::text[], $2::text[]) with ordinality as p (a, b, n)`, left, right).Scan(&equal))
	same := 0
	for i, want := range equal {
		a, b := event.Event{Data: []byte(left[i])}, event.Event{Data: []byte(right[i])}
		require.Equal(t, want, a.Digest() == b.Digest(), "%s\n%s", left[i], right[i])
		if want {
			same++
		}
	}

	require.Greater(t, same, len(equal)/4)
	require.Less(t, same, len(equal)*3/4)
}

// generator generates texts that are JSON, or nearly. A tame one leaves out everything that the
// decoder rejects.
type generator struct {
	*rand.Rand

	tame bool
}

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// one returns true once in n times.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

// event generates a text that is often an event.
func (g *generator) event() string {
	text := fmt.Sprintf(`{"session_id":"%s","category":%s,"name":%s,"timestamp":"%s","data":%s}`,
		uuid.NewSHA1(uuid.Nil, []byte{byte(g.IntN(50))}), g.str(), g.str(), g.timestamp(), g.object(g.IntN(4)))
	if g.one(20) {
		text = strings.Replace(text, `"category":`, g.str()+":1,"+`"category":`, 1)
	}

	if g.one(30) {
		text = strings.Replace(text, `{`, `{`+strings.Repeat(`"u":1,`, 25), 1)
	}

	if g.one(10) {
		text = g.mutated(text)
	}

	return text
}

func (g *generator) timestamp() string {
	if g.one(50) {
		return pick(g, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2025-02-30T00:00:00Z", "2025-06-30 12:00:00")
	}

	return fmt.Sprintf("2025-%s-%02d%s%02d:%02d:%02d%s%s", pick(g, "03", "08"), 2+g.IntN(26), pick(g, "T", "t"),
		g.IntN(24), g.IntN(60), g.IntN(60), pick(g, "", ".1", ".123456", ".999999999"), pick(g, "Z", "z", "+02:00", "-11:30"))
}

func (g *generator) value(depth int) string {
	if depth <= 0 || g.one(4) {
		return g.atom()
	}

	if g.one(60) {
		n := pick(g, 5, 26, 27, 28, 29, 30, 31, 40, 500)
		return strings.Repeat("[", n) + g.atom() + strings.Repeat("]", n)
	}

	if g.one(2) {
		return g.object(depth - 1)
	}

	elements := make([]string, g.IntN(5))
	for i := range elements {
		elements[i] = g.value(depth - 1)
	}

	return "[" + strings.Join(elements, pick(g, ",", ", ", "\n,")) + "]"
}

func (g *generator) object(depth int) string {
	members := make([]string, g.IntN(5))
	if g.one(30) {
		members = make([]string, 15+g.IntN(10))
	}

	for i := range members {
		name := g.str()
		if g.tame || !g.one(30) {
			name = strings.TrimSuffix(name, `"`) + strconv.Itoa(i) + `"`
		}

		members[i] = name + pick(g, ":", " : ") + g.value(depth-1)
	}

	return "{" + strings.Join(members, pick(g, ",", " , ")) + "}"
}

func (g *generator) atom() string {
	switch g.IntN(5) {
	case 0:
		return pick(g, "true", "false", "null", "{}", "[]", `""`)
	case 1, 2:
		return g.str()
	}

	return g.number()
}

func (g *generator) number() string {
	if !g.tame && g.one(30) {
		return pick(g, "1e309", "-1e309", "1e131071", "1e131072", "1e-16383", "1e-16384", "1e-324", "1e-400", "0e99999", "0e-99999",
			"01", "+1", ".5", "1.", "NaN", "Infinity", "1e", strings.Repeat("9", 41), "0."+strings.Repeat("0", 40), "1e"+strings.Repeat("9", 30))
	}

	if g.one(2) {
		return pick(g, "0", "-0", "0.0", "-0.00e-3", "0e400", "0e-400", "-0e400", "1e308", "-1.7976931348623157e308", "5e-324", "3e-324", "0.1e309", "1e-307",
			"9007199254740993", "-9223372036854775809", "18446744073709551616", strings.Repeat("9", 40), "0."+strings.Repeat("0", 38)+"1",
			strings.Repeat("1234567890", 3)+"1234567e-340", "1."+strings.Repeat("0", 36)+"e99", "100", "1e2", "1E+2", "10.00", "1000e-1")
	}

	text := pick(g, "", "-") + strconv.Itoa(g.IntN(pick(g, 2, 10, 100, 1<<40)))
	if g.one(2) {
		text += "." + strconv.Itoa(g.IntN(1000)) + pick(g, "", "0", "000")
	}

	if g.one(2) {
		text += pick(g, "e", "E") + pick(g, "", "+", "-") + strconv.Itoa(g.IntN(pick(g, 3, 30, 300)))
	}

	return text
}

// str makes a string with its quotes.
func (g *generator) str() string {
	var b strings.Builder
	b.WriteByte('"')
	for range 1 + g.IntN(6) {
		switch g.IntN(6) {
		case 0:
			b.WriteString(pick(g, `\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`, `\u0001`, `\u001F`, `\u007f`, `\\u0000`, `\ud83d\uDE00`, `\udbff\udfff`, `\u00e9`, `\uffff`, `\uFFFD`, `\u2028`))
		case 1:
			b.WriteString(pick(g, "é", "e\u0301", "😀", "\u200b", "\u202e", "\ufeff", "\ufffe", "\U0010ffff", "\u0080", "\x7f", "\ufdd0", "__proto__", "null"))
		case 2:
			if r := rune(32 + g.IntN(0x10ffff)); r != '"' && r != '\\' && (r < 0xd800 || r > 0xdfff) && r <= 0x10ffff {
				b.WriteRune(r)
			}
		case 3:
			if !g.tame && g.one(15) {
				b.WriteString(pick(g, `\u0000`, `\u0000`, `\u0000`, `\ud800`, `\udc00`, `\ud800\ud800`, `\ud800\n`, "\x00", "\x1f", "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", `\x`, `\u12`))
			}
		case 4:
			b.WriteString(strings.Repeat(pick(g, "k", "é", "😀"), pick(g, 1, 2, 20, 127)))
		default:
			b.WriteString(pick(g, "a", "b", "0", " ", "~/"))
		}
	}

	b.WriteByte('"')
	if text := b.String(); !g.one(200) || len(text) > 200 {
		return text
	}

	return `"` + strings.Repeat("long", 2000) + `"`
}

// mutated changes a few bytes.
func (g *generator) mutated(text string) string {
	b := []byte(text)
	for n := 1 + g.IntN(3); n > 0 && len(b) > 0; n-- {
		at := g.IntN(len(b))
		switch g.IntN(3) {
		case 0:
			b[at] = byte(g.IntN(256))
		case 1:
			b = slices.Delete(b, at, at+1)
		default:
			b = slices.Insert(b, at, pick(g, []byte(`"\{}[],:0e-`)...))
		}
	}

	return string(b)
}

// rewritten writes the same document in another way.
func (g *generator) rewritten(text string) string {
	return strings.NewReplacer("1e2", "100.0", "1E+2", "1e2", "100", "1e2", "-0,", "0,", "0.0", "0e7", "é", `\u00e9`, `\n`, `\u000A`, `\/`, "/", "😀", `\uD83D\ude00`, "a", `\u0061`, ",", " ,\n").Replace(text)
}

// changed changes the document slightly, most of the time.
func (g *generator) changed(text string) string {
	for range 5 {
		other := g.mutated(text)
		if event.CheckObject([]byte(other), &event.Rules{Limits: event.DefaultRules().Limits}) == nil {
			return other
		}
	}

	return strings.Replace(text, "1", "2", 1)
}
