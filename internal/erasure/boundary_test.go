package erasure_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/erasure"
)

// The same ask is answered with the erasure that is under way, so another one must not look
// like it: what it names would stay.
func TestAsksForOtherThingsDiffer(t *testing.T) {
	t.Parallel()
	one, two := uuid.New(), uuid.New()
	jane, joe := erasure.Value{Path: "user.id", Text: "jane"}, erasure.Value{Path: "user.id", Text: "joe"}
	asks := []erasure.Request{
		{SessionIDs: []uuid.UUID{one}},
		{SessionIDs: []uuid.UUID{two}},
		{SessionIDs: []uuid.UUID{one, two}},
		{Values: []erasure.Value{jane}},
		{Values: []erasure.Value{joe}},
		{Values: []erasure.Value{{Path: "name", Text: "jane"}}},
		{SessionIDs: []uuid.UUID{one}, Values: []erasure.Value{jane}},
	}
	seen := map[[32]byte]int{}
	for i := range asks {
		require.NoError(t, asks[i].Validate())
		before, again := seen[asks[i].Digest()]
		require.False(t, again, "ask %d looks like ask %d", i, before)
		seen[asks[i].Digest()] = i
	}
}

// Receipts of two erasures do not show that they were of the same person.
func TestReceiptsOfTheSamePersonDiffer(t *testing.T) {
	t.Parallel()
	filter := []byte(`{"user.id":"jane"}`)
	one := uuid.New()
	digest := erasure.FilterDigest(one, filter)
	require.Equal(t, digest, erasure.FilterDigest(one, []byte(`{"user.id":"jane"}`)))
	require.NotEqual(t, digest, erasure.FilterDigest(uuid.New(), filter))
}

// In a text that is not JSON a value is a word, wherever it stands and however it is escaped.
func TestValuesAreWordsOfATextThatIsNotJSON(t *testing.T) {
	t.Parallel()
	fits := func(value, raw string) bool {
		m := erasure.NewMatcher(nil, []erasure.SearchValue{{Steps: []string{"user", "id"}, Texts: []string{value}}})
		return m.MatchesText([]byte(raw))
	}
	for what, test := range map[string][2]string{
		"behind a longer word":        {"8612", `order 86123, user 8612`},
		"behind a word that ends so":  {"8612", `order 18612, user 8612`},
		"as the last word":            {"8612", `user 8612`},
		"with a backslash of its own": {`C:\new`, `user C:\new was here`},
		"with a pair of escapes":      {"a😀b", `{"id":"a\ud83d\ude00b"`},
	} {
		require.True(t, fits(test[0], test[1]), what)
	}
	for what, test := range map[string][2]string{
		"the end of a longer word":   {"8612", `order 18612 shipped`},
		"the start of a longer word": {"8612", `order 8612x shipped`},
	} {
		require.False(t, fits(test[0], test[1]), what)
	}
}

// The path to a value leads through arrays and through JSON inside of texts, so deep as a
// refused event may hide it by mistake.
func TestValuesAreFoundBelowArraysAndTexts(t *testing.T) {
	t.Parallel()
	m := erasure.NewMatcher(nil, []erasure.SearchValue{{Steps: []string{"tags", "1"}, Texts: []string{"8612"}}})
	const value = `{"tags":["1","8612"]}`
	quoted := func(text string) string {
		return `{"data":"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"}`
	}
	for what, raw := range map[string]string{
		"at its index":                  value,
		"in a text":                     quoted(value),
		"in a text in a text":           quoted(quoted(value)),
		"below three arrays":            `{"tags":[[[{"1":"8612"}]]]}`,
		"below four arrays":             `{"tags":[[[[{"1":"8612"}]]]]}`,
		"an index as a name":            `{"tags":{"1":"8612"}}`,
		"in one of several JSON values": `[1] ` + value,
	} {
		require.True(t, m.MatchesText([]byte(raw)), what)
	}
	for what, raw := range map[string]string{
		"at another index":         `{"tags":["8612","1"]}`,
		"a text, written as float": `{"tags":["1","8612.0"]}`,
	} {
		require.False(t, m.MatchesText([]byte(raw)), what)
	}
}

func TestIDsOfATextAreNamedOnceAndBounded(t *testing.T) {
	t.Parallel()
	one, two, three := uuid.New(), uuid.New(), uuid.New()
	raw := []byte(one.String() + " " + strings.ToUpper(one.String()) + " " + two.String() + " " + three.String())
	require.Equal(t, []uuid.UUID{one, two, three}, erasure.FindIDs(raw, 10))
	require.Equal(t, []uuid.UUID{one, two}, erasure.FindIDs(raw, 2))
}

// An erasure begins when it is asked for, and not at the next look for what others left.
func TestAnErasureBeginsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		e, _ := newEraser(f, nil)
		e.Start(t.Context())
		defer e.Stop()
		synctest.Wait()
		begun, err := e.BeginErasure(t.Context(), sized(1))
		require.NoError(t, err)
		synctest.Wait()
		found, err := e.FindErasure(t.Context(), begun.ID)
		require.NoError(t, err)
		require.Equal(t, erasure.Running, state(found))
	})
}

// What a stopped worker gives back is free at once, although its context has ended: otherwise
// the next worker would wait for the end of the lease.
func TestAStoppedWorkerGivesBackWithoutItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		e, logs := newEraser(f, nil)
		e.Start(t.Context())
		defer e.Stop()
		_, err := e.BeginErasure(t.Context(), sized(1000))
		require.NoError(t, err)
		<-time.After(500 * time.Millisecond)
		e.Stop()
		require.Equal(t, 1, f.jobs[0].given)
		require.Zero(t, logs.FilterMessageSnippet("could not be given back").Len())
	})
}
