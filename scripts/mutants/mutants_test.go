package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A mutant that does not fit the source tests nothing, and without this test only the next run
// of all mutants would show it.
func TestEveryMutantFitsTheSource(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	all, err := readMutants("planted", nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(all), 12)
	for _, m := range all {
		source, err := os.ReadFile(filepath.Join(root, m.file))
		require.NoError(t, err)
		text, err := m.plantedSource(root)
		require.NoError(t, err)
		require.NotEqual(t, string(source), text, m.name)
	}
}

func TestAMutantThatDoesNotFitSaysSo(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.go"), []byte("one\ntwo\ntwo\n"), 0o600))
	for text, found := range map[string]string{
		"what\nfile: a.go\ntest: ./x TestX\nchaos: 1 y\n-- instead of --\nthree\n-- plant --\nfour\n": "occurs 0 times in a.go",
		"what\nfile: a.go\ntest: ./x TestX\nchaos: 1 y\n-- instead of --\ntwo\n-- plant --\nfour\n":   "occurs 2 times in a.go",
	} {
		m, err := parseMutant("M", text)
		require.NoError(t, err)
		_, err = m.plantedSource(root)
		require.ErrorContains(t, err, found)
	}

	for text, missing := range map[string]string{
		"what\nfile: a.go\n": "instead of",
		"what\nfile: a.go\ntest: ./x TestX\nchaos: 1 y\n-- instead of --\ntwo\n": "plant",
		"what\nfile: a.go\n-- instead of --\ntwo\n-- plant --\nfour\n":           "which test",
	} {
		_, err := parseMutant("M", text)
		require.ErrorContains(t, err, missing)
	}
}

// A mutant counts as found by a chaos run only if there is a difference or a breach.
func TestVerdictOfAChaosRun(t *testing.T) {
	t.Parallel()
	require.False(t, (&chaosReport{}).buildVerdict().found)
	r := chaosReport{Breaches: []string{"the database cannot be reached"}}
	require.True(t, r.buildVerdict().found)
	r = chaosReport{}
	r.Wholes = append(r.Wholes, struct {
		Tables reconciliation `json:"tables"`
		API    reconciliation `json:"api"`
	}{Tables: reconciliation{Acknowledged: 9, Lost: 2, Differences: 2, List: []string{"an id: lost: answered"}}})

	require.Equal(t, verdict{found: true, saw: "2 lost, 0 doubled, 0 gaps of 9: lost: answered"}, r.buildVerdict())
}
